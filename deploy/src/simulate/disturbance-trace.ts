import { readFileSync, writeFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { nameField, parseWith } from '@consilium/shared/wire';
import { parse, stringify } from 'yaml';
import { z } from 'zod';

/**
 * What befell one site for a while. *slow* multiplies the time that training takes; *cut* ends its connections and refuses new
 * ones; *silent* leaves connections standing while nothing moves; *kill* takes the agent away without a farewell.
 */
const entrySchema = z
  .strictObject({
    site: nameField,
    /** Seconds since the campaign was started. */
    fromSeconds: z.number().min(0),
    untilSeconds: z.number(),
    kind: z.enum(['slow', 'cut', 'silent', 'kill']),
    factor: z.number().positive().max(10_000).optional(),
  })
  .refine(({ fromSeconds, untilSeconds }) => untilSeconds > fromSeconds, {
    path: ['untilSeconds'],
    message: 'a disturbance ends after it has begun',
  })
  .refine(({ kind, factor }) => (kind === 'slow') === (factor !== undefined), {
    path: ['factor'],
    message: '"slow" needs a factor, and nothing else has one',
  });
export type Disturbance = z.infer<typeof entrySchema>;

const traceSchema = z.array(entrySchema).max(100_000);

/** Reads a YAML or JSON list of disturbances. ARGUMENT_INVALID names the entry that is wrong, or the site that is none of ours. */
export function readTrace(path: string, siteNames: readonly string[]): Disturbance[] {
  const trace = parseWith(traceSchema, parseFile(path) ?? [], 'ARGUMENT_INVALID', path);
  const known = new Set(siteNames);
  const stranger = trace.find(({ site }) => !known.has(site));
  if (stranger === undefined) return trace;
  throw new FederationError('ARGUMENT_INVALID', `${path} names the site ${stranger.site}, which does not take part`, {
    remedy: `The sites are ${siteNames[0] ?? ''} to ${siteNames.at(-1) ?? ''}.`,
  });
}

/** Writes JSON to a name that ends in .json and YAML to any other, in the order of time. */
export function writeTrace(path: string, trace: readonly Disturbance[]): void {
  const sorted = [...trace].sort((a, b) => a.fromSeconds - b.fromSeconds || (a.site < b.site ? -1 : 1));
  writeFileSync(path, path.endsWith('.json') ? `${JSON.stringify(sorted, null, 2)}\n` : stringify(sorted));
}

function parseFile(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new FederationError('ARGUMENT_INVALID', `the trace ${path} cannot be read as YAML or JSON`, {
      cause,
      remedy: 'See: npm run simulate -- --help',
    });
  }
}
