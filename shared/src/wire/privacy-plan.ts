import { z } from 'zod';
import type { Progress, ToldReport } from './reports.js';

/** How updates are protected: docs/methods/update-privacy. Not in protocol 1. */
export const privacyPlanSchema = z.strictObject({
  form: z
    .enum(['local', 'central'])
    .describe('local: each site adds noise to its own update; central: the coordinator sees updates and adds noise to their sum'),
  clipNorm: z
    .number()
    .min(1e-9)
    .max(1e6)
    .describe('updates are scaled down to this Euclidean norm of trained − base over all federated parameters'),
  noiseMultiplier: z.number().min(0.01).max(10_000).describe('standard deviation of the noise of each number, in clip norms'),
  delta: z.number().min(1e-15).max(0.1).default(1e-5).describe('the δ for which ε is stated'),
  figures: z
    .enum(['counts', 'all'])
    .default('counts')
    .describe('what leaves beside the updates, without noise: counts and times only, or losses and scores as in other campaigns'),
});
export type PrivacyPlan = z.infer<typeof privacyPlanSchema>;

/** True where nothing but counts and times leaves beside an update: no loss, no score, no monitor. */
export function keepsFigures({ privacy }: { readonly privacy?: PrivacyPlan | undefined }): boolean {
  return privacy?.figures === 'counts';
}

/** What leaves beside an update whose plan keeps figures: whoever trains repeats to the bit, so that every further figure would tell. */
const COUNTS: readonly string[] = ['steps', 'patches', 'trainingMs', 'volumes'];

/** The report as it may leave the site under this plan. */
export function reportUnder<Report extends ToldReport>(
  plan: { readonly privacy?: PrivacyPlan | undefined },
  report: Report,
): Report {
  if (!keepsFigures(plan)) return report;
  return Object.fromEntries(Object.entries(report).filter(([field]) => COUNTS.includes(field))) as Report;
}

/** The progress as it may leave the site under this plan. */
export function progressUnder(plan: { readonly privacy?: PrivacyPlan | undefined }, progress: Progress): Progress {
  if (!keepsFigures(plan)) return progress;
  const { participationId, phase, step, steps, share } = progress;
  return { participationId, phase, step, steps, share };
}
