/**
 * The evidence protocol as data: which models are pretrained on what, which arms are fine-tuned from them on which tasks, with how
 * many labels, seeds and steps. Every run is named by what decides its outcome, so that changing one part repeats that part alone.
 */
import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { parse } from 'yaml';
import { z } from 'zod';

const name = z.string().regex(/^[a-z0-9-]{1,40}$/);
const fileName = z.string().regex(/^[A-Za-z0-9._-]+$/);

/** Which unlabelled volumes a site holds: site folders of the shelf, all of one or the named modality of it. */
const holdingSchema = z.strictObject({ site: name, modality: z.enum(['CT', 'MR']).optional() });
export type Holding = z.infer<typeof holdingSchema>;

const settingsSchema = z.record(z.string(), z.unknown());

const pretrainingSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('central'),
    describe: z.string(),
    recipe: fileName,
    holdings: z.array(holdingSchema).min(1),
    seeds: z.array(z.int()).min(1),
    changes: settingsSchema.optional().describe('laid over the recipe'),
  }),
  z.strictObject({
    kind: z.literal('federated'),
    describe: z.string(),
    campaign: fileName,
    sites: z.record(name, z.array(holdingSchema).min(1)),
    seeds: z.array(z.int()).min(1),
    changes: settingsSchema.optional().describe('laid over the campaign file'),
  }),
]);
export type PretrainingPlan = z.infer<typeof pretrainingSchema>;

const armSchema = z.strictObject({
  describe: z.string(),
  /** A pretraining's name; left out for scratch. */
  from: name.optional(),
  changes: settingsSchema.optional().describe('laid over each task; only the scratch arms differ here'),
});
export type ArmPlan = z.infer<typeof armSchema>;

const taskSchema = z.strictObject({
  describe: z.string(),
  /** A task file of deploy/evidence without cases, start and seed. */
  task: fileName,
  data: z.enum(['hippocampus', 'sts-gtv', 'sts-patch', 'adrenal']),
  /** Numbers of labelled training cases, the first ones to be run first; all there are when left out. */
  labels: z.array(z.int().min(1)).optional(),
  metric: z.enum(['dice', 'auc']),
});
export type TaskPlan = z.infer<typeof taskSchema>;

export const protocolSchema = z
  .strictObject({
    name,
    seeds: z.array(z.int()).min(1),
    pretrainings: z.record(name, pretrainingSchema),
    arms: z.record(name, armSchema),
    tasks: z.record(name, taskSchema),
  })
  .superRefine(({ arms, pretrainings }, context) => {
    for (const [arm, { from }] of Object.entries(arms)) {
      if (from !== undefined && pretrainings[from] === undefined) {
        context.addIssue({ code: 'custom', path: ['arms', arm, 'from'], message: `there is no pretraining called ${from}` });
      }
    }
  });
export type Protocol = z.infer<typeof protocolSchema>;

/** Reads a protocol file. Throws CONFIG_INVALID naming the first field that is wrong. */
export function readProtocol(path: string): Protocol {
  const parsed = protocolSchema.safeParse(parse(readFileSync(path, 'utf8')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FederationError('CONFIG_INVALID', `${path}: ${issue?.path.join('.')}: ${issue?.message}`, {
    remedy: 'Correct the protocol file.',
  });
}

/** `changes` laid over `settings`: objects member by member, everything else replaced. */
export function laidOver(settings: unknown, changes: unknown): unknown {
  if (!isPlain(settings) || !isPlain(changes)) return changes === undefined ? settings : changes;
  const merged: Record<string, unknown> = { ...settings };
  for (const [key, value] of Object.entries(changes)) merged[key] = laidOver(settings[key], value);
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
