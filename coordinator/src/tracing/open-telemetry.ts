/** The one file that knows OpenTelemetry; loaded when a collector is named, and not before. */
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { COORDINATOR_VERSION } from '../config/coordinator-version.js';
import type { TraceSettings } from '../config/trace-settings.js';
import type { Log } from '../log.js';
import type { OpenSpan, SpanFacts, SpanRecorder, SpanStart } from './span-recorder.js';

/** What waits for the collector at most; more is dropped. */
const QUEUED_SPANS = 2_048;
const BATCH_SPANS = 256;
const SEND_EVERY_MS = 2_000;
/** A collector that takes longer is given up for this batch. */
const PATIENCE_MS = 5_000;
const CLOSE_WITHIN_MS = 2_000;
/** Of an export; the library's enumeration of results lies in a package that we do not need otherwise. */
const SUCCESS = 0;

/** Spans that go to a collector, in batches and beside everything else: one that is away or slow costs dropped spans and a line in the log. */
export function openTelemetry({ endpoint, share }: TraceSettings & { readonly endpoint: string }, log: Log): SpanRecorder {
  const inner = new OTLPTraceExporter({ url: endpoint, timeoutMillis: PATIENCE_MS, concurrencyLimit: 2 });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'consilium-coordinator', 'service.version': COORDINATOR_VERSION }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OutspokenExporter(inner, log),
        maxQueueSize: QUEUED_SPANS,
        maxExportBatchSize: BATCH_SPANS,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: PATIENCE_MS,
      }),
    ],
  });
  return new TelemetryRecorder(provider.getTracer('consilium-coordinator', COORDINATOR_VERSION), () => provider.shutdown());
}

class TelemetryRecorder implements SpanRecorder {
  constructor(
    private readonly tracer: Tracer,
    private readonly shutdown: () => Promise<void>,
  ) {}

  open(name: string, { parent, facts = {}, atMs, answers = false }: SpanStart = {}): OpenSpan {
    const kind = answers ? SpanKind.SERVER : SpanKind.INTERNAL;
    const start = { kind, attributes: given(facts), ...(atMs === undefined ? {} : { startTime: atMs }) };
    const context = parent instanceof TelemetrySpan ? parent.context : ROOT_CONTEXT;
    return new TelemetrySpan(this.tracer.startSpan(name, start, context));
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_WITHIN_MS)));
    await Promise.race([this.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  }
}

class TelemetrySpan implements OpenSpan {
  readonly context: Context;

  constructor(private readonly span: Span) {
    this.context = trace.setSpan(ROOT_CONTEXT, span);
  }

  note(facts: SpanFacts): void {
    this.span.setAttributes(given(facts));
  }

  end(atMs?: number, code?: string): void {
    if (!this.span.isRecording()) return;
    if (code !== undefined) this.span.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.span.end(atMs);
  }
}

/** Says once that spans do not arrive, and once that they do again; the library would say it of each batch. */
class OutspokenExporter implements SpanExporter {
  private isFailing = false;

  constructor(
    private readonly inner: SpanExporter,
    private readonly log: Log,
  ) {}

  export(spans: ReadableSpan[], done: Parameters<SpanExporter['export']>[1]): void {
    this.inner.export(spans, ({ code, error }) => {
      const isFailing = error !== undefined || Number(code) !== SUCCESS;
      if (isFailing && !this.isFailing) {
        this.log.warn(
          `traces do not reach the collector and are dropped meanwhile (${error?.message ?? 'refused'}); rounds go on`,
        );
      }
      if (!isFailing && this.isFailing) this.log.info('traces reach the collector again');
      this.isFailing = isFailing;
      done({ code: SUCCESS });
    });
  }

  shutdown(): Promise<void> {
    return this.inner.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.inner.forceFlush?.();
  }
}

function given(facts: SpanFacts): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(facts).filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined),
  );
}
