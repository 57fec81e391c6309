/** What tracing asks of whatever keeps spans; the domain knows this and no library. */

export type SpanValue = string | number | boolean;
/** Names begin with "consilium." unless OpenTelemetry has a convention for them; undefined values are left out. */
export type SpanFacts = Readonly<Record<string, SpanValue | undefined>>;

export interface SpanStart {
  /** A trace of its own when left out. */
  readonly parent?: OpenSpan | undefined;
  readonly facts?: SpanFacts;
  /** Now when left out. */
  readonly atMs?: number | undefined;
  /** What answers somebody else's request. */
  readonly answers?: boolean;
}

/** Something that has begun and not ended. */
export interface OpenSpan {
  note(facts: SpanFacts): void;
  /** @param code of the error that it ended with, if it did. Ending twice changes nothing. */
  end(atMs?: number, code?: string): void;
}

export interface SpanRecorder {
  open(name: string, start?: SpanStart): OpenSpan;
  /** Sends what is left; takes two seconds at most. Never rejects. */
  close(): Promise<void>;
}

const NO_SPAN: OpenSpan = { note: () => undefined, end: () => undefined };

/** Where no collector is named. */
export const NO_SPANS: SpanRecorder = { open: () => NO_SPAN, close: () => Promise.resolve() };
