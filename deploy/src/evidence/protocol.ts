/**
 * The evidence protocol as data: which models are pretrained on what, which arms are fine-tuned from them on which tasks, with how
 * many labels, seeds and steps. Every run is named by what decides its outcome, so that changing one part repeats that part alone.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { parse } from 'yaml';
import { z } from 'zod';

const name = z.string().regex(/^[a-z0-9-]{1,40}$/);
const fileName = z.string().regex(/^[A-Za-z0-9._-]+$/);

/** Which unlabelled volumes a site holds: site folders of the shelf, all of one or the named modality of it. */
const holdingSchema = z.strictObject({ site: name, modality: z.enum(['CT', 'MR']).optional() });
export type Holding = z.infer<typeof holdingSchema>;

const settingsSchema = z.record(z.string(), z.unknown());

const further = z
  .literal(true)
  .optional()
  .describe('a question that the results of the others raised: with all that needs it, run only when asked for');

const pretrainingSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('central'),
    describe: z.string(),
    recipe: fileName,
    holdings: z.array(holdingSchema).min(1),
    seeds: z.array(z.int()).min(1),
    changes: settingsSchema.optional().describe('laid over the recipe'),
    further,
  }),
  z.strictObject({
    kind: z.literal('federated'),
    describe: z.string(),
    campaign: fileName,
    sites: z.record(name, z.array(holdingSchema).min(1)),
    seeds: z.array(z.int()).min(1),
    changes: settingsSchema.optional().describe('laid over the campaign file'),
    further,
  }),
]);
export type PretrainingPlan = z.infer<typeof pretrainingSchema>;

/** Volumes whose modality a fresh classifier is to read from a model's features; those of one patient share a group. */
const probeSchema = z.strictObject({
  describe: z.string(),
  /** Names of pretrainings whose models are probed. */
  models: z.array(name).min(1),
  /** Site folders whose volumes take part. */
  sites: z.array(name).min(1),
  /** Only volumes whose file name matches; all when left out. Its first group, where it has one, names the patient. */
  files: z.string().optional(),
  patch: settingsSchema,
  patchesPerVolume: z.int().min(1),
});
export type ProbePlan = z.infer<typeof probeSchema>;

const armSchema = z.strictObject({
  describe: z.string(),
  /** A pretraining's name; left out for scratch. */
  from: name.optional(),
  /** Comparisons that the arm takes part in, such as hippocampus-n5 or sts-gtv-all; all when left out. */
  on: z.array(name).min(1).optional(),
  singleSite: z
    .boolean()
    .optional()
    .describe('pretrained by one site; the best of these by validation is what federating has to beat'),
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
  /** Steps of all arms at label counts that take more than the task file's to the plateau. */
  longer: z.record(z.string().regex(/^\d+$/), z.int().min(1)).optional(),
  changes: settingsSchema.optional().describe('laid over the task file, before what an arm changes'),
  arms: z.array(name).min(1).optional().describe('the arms that take part; all when left out'),
  metric: z.enum(['dice', 'auc']),
  further,
});
export type TaskPlan = z.infer<typeof taskSchema>;

export const protocolSchema = z
  .strictObject({
    name,
    seeds: z.array(z.int()).min(1),
    pretrainings: z.record(name, pretrainingSchema),
    probes: z.record(name, probeSchema),
    arms: z.record(name, armSchema),
    tasks: z.record(name, taskSchema),
  })
  .superRefine(({ arms, probes, pretrainings, tasks }, context) => {
    for (const [task, { arms: named = [] }] of Object.entries(tasks)) {
      for (const arm of named.filter((one) => arms[one] === undefined)) {
        context.addIssue({ code: 'custom', path: ['tasks', task, 'arms'], message: `there is no arm called ${arm}` });
      }
    }
    for (const [probe, { models }] of Object.entries(probes)) {
      for (const model of models.filter((one) => pretrainings[one] === undefined)) {
        context.addIssue({
          code: 'custom',
          path: ['probes', probe, 'models'],
          message: `there is no pretraining called ${model}`,
        });
      }
    }
    for (const [arm, { from }] of Object.entries(arms)) {
      if (from !== undefined && pretrainings[from] === undefined) {
        context.addIssue({ code: 'custom', path: ['arms', arm, 'from'], message: `there is no pretraining called ${from}` });
      }
    }
  });
export type Protocol = z.infer<typeof protocolSchema>;

/** A smaller form of another protocol: what it leaves out, and changes to all runs of a kind. */
const variantSchema = z.strictObject({
  name,
  of: fileName,
  seeds: z.array(z.int()).min(1),
  omit: z.array(name).describe('pretrainings, with the arms and probes that need them, and tasks'),
  changes: z.strictObject({ central: settingsSchema, federated: settingsSchema, finetuning: settingsSchema }),
  tasks: z.record(name, settingsSchema),
  probes: z.record(name, settingsSchema),
});
type Variant = z.infer<typeof variantSchema>;

/** Reads a protocol file, or one that says how it differs from another. Throws CONFIG_INVALID naming the first field that is wrong. */
export function readProtocol(path: string): Protocol {
  const content: unknown = parse(readFileSync(path, 'utf8'));
  if (!isPlain(content) || content['of'] === undefined) return checked(protocolSchema, content, path);
  const variant = checked(variantSchema, content, path);
  return checked(protocolSchema, variantOf(readProtocol(join(dirname(path), variant.of)), variant), path);
}

function variantOf(protocol: Protocol, { name: own, seeds, omit, changes, tasks, probes }: Variant): unknown {
  const pretrainings = Object.entries(protocol.pretrainings).filter(([one]) => !omit.includes(one));
  const arms = Object.entries(protocol.arms).filter(([, { from }]) => from === undefined || !omit.includes(from));
  return {
    name: own,
    seeds,
    pretrainings: Object.fromEntries(
      pretrainings.map(([one, plan]) => [one, { ...plan, seeds, changes: laidOver(plan.changes ?? {}, changes[plan.kind]) }]),
    ),
    arms: Object.fromEntries(
      arms.map(([one, arm]) => [one, { ...arm, changes: laidOver(arm.changes ?? {}, changes.finetuning) }]),
    ),
    tasks: laidOver(Object.fromEntries(Object.entries(protocol.tasks).filter(([one]) => !omit.includes(one))), tasks),
    probes: Object.fromEntries(
      Object.entries(protocol.probes).map(([one, probe]) => {
        const models = probe.models.filter((model) => !omit.includes(model));
        return [one, laidOver({ ...probe, models }, probes[one])];
      }),
    ),
  };
}

function checked<T>(schema: z.ZodType<T>, content: unknown, path: string): T {
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new FederationError('CONFIG_INVALID', `${path}: ${issue?.path.join('.')}: ${issue?.message}`, {
    remedy: 'Correct the protocol file.',
  });
}

/** `changes` laid over `settings`: objects member by member, everything else replaced, null takes away (JSON merge patch, RFC 7396). */
export function laidOver(settings: unknown, changes: unknown): unknown {
  if (!isPlain(changes)) return changes === undefined ? settings : changes;
  const merged: Record<string, unknown> = isPlain(settings) ? { ...settings } : {};
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete merged[key];
    else merged[key] = laidOver(merged[key], value);
  }
  return merged;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
