import { z } from 'zod';

/** Where spans of rounds and requests go; a part of the coordinator's settings. */
export const traceSettingFields = {
  tracesEndpoint: z
    .url({ protocol: /^https?$/ })
    .refine((url) => !URL.canParse(url) || new URL(url).password === '', 'name no password in it: use OTEL_EXPORTER_OTLP_HEADERS')
    .optional()
    .describe('OpenTelemetry collector (OTLP over HTTP) that traces go to, such as http://collector:4318; none when left out'),
  tracesShare: z.coerce.number().min(0).max(1).default(1).describe('share of rounds and requests that are traced, from 0 to 1'),
};

type TraceSettingValues = z.infer<z.ZodObject<typeof traceSettingFields>>;

export interface TraceSettings {
  /** Undefined for no traces. */
  readonly endpoint: string | undefined;
  readonly share: number;
}

/** Both settings and OpenTelemetry's own variable name the collector; the path of its traces is added. */
export function compileTraceSettings({ tracesEndpoint, tracesShare }: TraceSettingValues): TraceSettings {
  const path = '/v1/traces';
  const base = tracesEndpoint?.replace(/\/+$/, '');
  return { endpoint: base === undefined || base.endsWith(path) ? base : base + path, share: tracesShare };
}

/** The variable that programs with OpenTelemetry share; ours outranks it. */
export function sharedEndpoint(environment: Readonly<Record<string, string | undefined>>): {
  tracesEndpoint: string | undefined;
} {
  return { tracesEndpoint: environment['OTEL_EXPORTER_OTLP_ENDPOINT'] };
}
