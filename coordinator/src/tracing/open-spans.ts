import type { TraceSettings } from '../config/trace-settings.js';
import type { Log } from '../log.js';
import { NO_SPANS, type SpanRecorder } from './span-recorder.js';

/** Loads OpenTelemetry where a collector is named; else nothing of it is ever read. */
export async function openSpans({ endpoint, share }: TraceSettings, log: Log): Promise<SpanRecorder> {
  if (endpoint === undefined) return NO_SPANS;
  const { openTelemetry } = await import('./open-telemetry.js');
  return openTelemetry({ endpoint, share }, log);
}
