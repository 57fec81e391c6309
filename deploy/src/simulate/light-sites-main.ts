/** A process of light sites, one agent per home: `light-sites-main PLAN.json`. Ends on SIGINT or SIGTERM, as `site-agent start` does. */
import { readFileSync } from 'node:fs';
import { describeError, FederationError } from '@consilium/shared/kernel';
import { createLog, LOG_LEVELS } from '@consilium/shared/terminal';
import { z } from 'zod';
import { runLightSite } from './light-site.js';

const planSchema = z.strictObject({
  sites: z
    .array(
      z.strictObject({
        home: z.string().min(1),
        /** See LightTraining.index. */
        index: z.int().min(0),
        trainingMs: z.number().min(0).default(0),
        /** Steps left out of the planned ones, so that sites weigh differently. */
        fewerSteps: z.int().min(0).default(0),
      }),
    )
    .min(1),
  statusPages: z.boolean().default(true),
  logLevel: z.enum(LOG_LEVELS).default('info'),
});
export type LightSitesPlan = z.input<typeof planSchema>;

async function main(): Promise<void> {
  const [path = ''] = process.argv.slice(2);
  const { sites, statusPages, logLevel } = planSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  const log = createLog({ level: logLevel });
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stop.abort());
  const running = sites.map(({ home, index, trainingMs, fewerSteps }) =>
    runLightSite(
      {
        home,
        training: { index, durationMs: () => trainingMs, stepsOf: (planned) => planned - fewerSteps },
        log,
        hasStatusPage: statusPages,
      },
      stop.signal,
    ),
  );
  await Promise.all(running);
}

main().catch((thrown: unknown) => {
  process.stderr.write(`${describeError(FederationError.from(thrown))}\n`);
  process.exit(1);
});
