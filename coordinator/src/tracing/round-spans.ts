import { type Clock, FederationError } from '@consilium/shared/kernel';
import { type CampaignEvent, type ParticipationState, type RoundState } from '@consilium/shared/wire';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { CampaignEvents } from '../live/campaign-events.js';
import { CLOCK, SPANS } from '../ports.js';
import type { OpenSpan, SpanFacts, SpanRecorder } from './span-recorder.js';

type RoundEvent = Extract<CampaignEvent, { kind: 'round' }>;
type PartEvent = Extract<CampaignEvent, { kind: 'participation' }>;

/** What names a round in its spans. */
interface RoundReference {
  readonly roundId: string;
  readonly campaignId: string;
  readonly campaignName: string;
  readonly roundNumber: number;
  readonly attempt?: number | undefined;
}

interface OpenRound {
  readonly span: OpenSpan;
  readonly campaignId: string;
  readonly startedAtMs: number;
  phase: OpenSpan | undefined;
  readonly parts: Map<string, OpenPart>;
}

interface OpenPart {
  readonly span: OpenSpan;
  readonly siteName: string;
  isOver: boolean;
  stage: OpenSpan | undefined;
}

interface Transfer {
  readonly siteName: string;
  readonly bytes: number | undefined;
  readonly sinceMs: number;
  readonly code?: string | undefined;
}

const ENDED_ROUNDS: ReadonlySet<RoundState> = new Set(['finished', 'failed', 'cancelled']);
/** Of which it is remembered that they have ended: what is still done on them is nobody's. */
const REMEMBERED_ROUNDS = 1_000;
const STAGES: ReadonlySet<ParticipationState> = new Set(['accepted', 'training', 'delivering']);

/**
 * A round as one trace: its phases, each site's part in it, transfers and folds, as far as the coordinator sees them. It follows the
 * events that operators see, so that rounds know nothing of it. A round that was under way at the start is a trace of its own from
 * then on, marked as resumed; both carry the round's identifier.
 */
@Injectable()
export class RoundSpans implements OnApplicationShutdown {
  private readonly rounds = new Map<string, OpenRound>();
  private readonly ended = new Set<string>();
  private readonly unsubscribe: () => void;

  constructor(
    @Inject(SPANS) private readonly spans: SpanRecorder,
    @Inject(CLOCK) private readonly clock: Clock,
    events: CampaignEvents,
  ) {
    this.unsubscribe = events.subscribe((event) => this.follow(event));
  }

  /** What is under way ends here as interrupted; the next start begins another trace for it. */
  async onApplicationShutdown(): Promise<void> {
    this.unsubscribe();
    for (const round of this.rounds.values()) {
      round.span.note({ 'consilium.interrupted': true });
      this.endRound(round, this.clock.nowMs());
    }
    this.rounds.clear();
    await this.spans.close();
  }

  /** A piece of the coordinator's own work on a round, in its phase. @param facts what the result says of itself */
  async during<T>(
    name: 'fold' | 'publish',
    reference: RoundReference,
    work: () => Promise<T>,
    facts: (result: T) => SpanFacts = () => ({}),
  ): Promise<T> {
    if (this.ended.has(reference.roundId)) return work();
    const round = this.roundOf(reference);
    const span = this.spans.open(name, { parent: round.phase ?? round.span, atMs: this.clock.nowMs() });
    try {
      const result = await work();
      span.note(facts(result));
      span.end(this.clock.nowMs());
      return result;
    } catch (thrown) {
      span.end(this.clock.nowMs(), FederationError.from(thrown).code);
      throw thrown;
    }
  }

  /** Bytes of an update that have come in one request, unknown where it broke off; of a part that is no longer followed, nothing is said. */
  received(participationId: string, bytes: number | undefined, sinceMs: number, code?: string): void {
    for (const { parts } of this.rounds.values()) {
      const part = parts.get(participationId);
      if (part !== undefined) return this.transfer('upload', part.span, { siteName: part.siteName, bytes, sinceMs, code });
    }
  }

  /** Bytes of a version that have gone to a site, in the round of one of the campaigns; in the site's part once it has accepted. */
  sent(campaignIds: ReadonlySet<string>, siteName: string, bytes: number, sinceMs: number): void {
    const round = [...this.rounds.values()].find(({ campaignId }) => campaignIds.has(campaignId));
    if (round === undefined) return;
    const part = [...round.parts.values()].find((one) => one.siteName === siteName);
    this.transfer('download', (part ?? round).span, { siteName, bytes, sinceMs });
  }

  private transfer(name: 'upload' | 'download', parent: OpenSpan, { siteName, bytes, sinceMs, code }: Transfer): void {
    const facts = { 'consilium.site': siteName, 'consilium.bytes': bytes };
    this.spans.open(name, { parent, atMs: sinceMs, facts }).end(this.clock.nowMs(), code);
  }

  private follow(event: CampaignEvent): void {
    // What happens to a part after its round has ended names no round.
    if (event.kind === 'round' && event.roundId !== undefined) this.followRound(event, { ...event, roundId: event.roundId });
    if (event.kind !== 'participation' || event.roundId === undefined || event.participationId === undefined) return;
    this.followPart(event, { ...event, roundId: event.roundId }, event.participationId);
  }

  private followRound({ state, atMs, code, versionDigest }: RoundEvent, reference: RoundReference): void {
    const round = this.roundOf(reference, state === 'planned', atMs);
    round.phase?.end(atMs);
    round.phase = undefined;
    if (!ENDED_ROUNDS.has(state)) {
      round.phase = this.spans.open(`phase ${state}`, { parent: round.span, atMs });
      return;
    }
    round.span.note({ 'consilium.round.state': state, 'consilium.version.digest': versionDigest });
    this.endRound(round, atMs, state === 'failed' ? (code ?? 'failed') : undefined);
    this.forget(reference.roundId);
  }

  private followPart({ state, siteName, atMs, code }: PartEvent, reference: RoundReference, participationId: string): void {
    const round = this.roundOf(reference, false, atMs);
    const part = round.parts.get(participationId) ?? this.openPart(round, participationId, siteName);
    // A site that declines or comes late does nothing wrong.
    const fault = state === 'failed' || state === 'quarantined' ? (code ?? state) : undefined;
    if (part.isOver) {
      // Screening and operators have their say after the delivery.
      this.spans.open(`part ${state}`, { parent: part.span, atMs }).end(atMs, fault);
      return;
    }
    part.stage?.end(atMs);
    part.stage = undefined;
    if (STAGES.has(state)) {
      part.stage = this.spans.open(`part ${state}`, { parent: part.span, atMs });
      return;
    }
    part.isOver = true;
    part.span.note({ 'consilium.part.state': state, 'consilium.part.code': code });
    part.span.end(atMs, fault);
  }

  private openPart(round: OpenRound, participationId: string, siteName: string): OpenPart {
    const atMs = round.startedAtMs;
    const span = this.spans.open('part', { parent: round.span, atMs, facts: { 'consilium.site': siteName } });
    const part: OpenPart = { span, siteName, isOver: false, stage: this.spans.open('part invited', { parent: span, atMs }) };
    round.parts.set(participationId, part);
    return part;
  }

  private roundOf(
    { roundId, campaignId, campaignName, roundNumber, attempt }: RoundReference,
    isNew = false,
    atMs = this.clock.nowMs(),
  ): OpenRound {
    const known = this.rounds.get(roundId);
    if (known !== undefined) return known;
    const facts = {
      'consilium.campaign': campaignName,
      'consilium.round.number': roundNumber,
      'consilium.round.attempt': attempt,
      'consilium.round.id': roundId,
      'consilium.resumed': isNew ? undefined : true,
    };
    const span = this.spans.open('round', { atMs, facts });
    const round: OpenRound = { span, campaignId, startedAtMs: atMs, phase: undefined, parts: new Map() };
    this.rounds.set(roundId, round);
    return round;
  }

  private forget(roundId: string): void {
    this.rounds.delete(roundId);
    this.ended.add(roundId);
    const [oldest] = this.ended;
    if (this.ended.size > REMEMBERED_ROUNDS && oldest !== undefined) this.ended.delete(oldest);
  }

  private endRound({ span, phase, parts }: OpenRound, atMs: number, code?: string): void {
    phase?.end(atMs);
    for (const part of parts.values()) {
      part.stage?.end(atMs);
      // Of a buffered round: what comes later counts in another one.
      if (!part.isOver) part.span.note({ 'consilium.part.state': 'open' });
      part.span.end(atMs);
    }
    span.end(atMs, code);
  }
}
