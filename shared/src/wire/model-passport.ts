/**
 * A model's passport: where its weights come from, as data that anybody can check without asking anybody. Digests name the weights,
 * and seals chain the history: the seal of a thing is the digest of its canonical JSON without the seal, so that one changed byte
 * shows, and one signature over the last seal covers all.
 */
import { z } from 'zod';
import { type Digest, DIGEST_ALGORITHMS, digestOfJson, FederationError } from '@consilium/shared/kernel';
import { digestField, fraction, nameField, positiveInteger } from './fields.js';
import { parseWith } from './parse.js';
import { privacyPlanSchema } from './privacy-plan.js';

export const PASSPORT_FORMAT = 1 as const;

/** Plans and specs are kept as they were, also where this release would fill in or refuse a field. */
const plainJson = z.record(z.string(), z.unknown());

const softwareSchema = z.record(z.string().max(32), z.string().max(64));

const modelSchema = z.strictObject({
  digest: digestField,
  digestAlgorithm: z.enum(DIGEST_ALGORITHMS),
  bytes: positiveInteger,
  spec: plainJson,
});

const lineageLinkSchema = z.strictObject({
  number: positiveInteger,
  digest: digestField,
  /** The version that it was made from; null for the initial one, which model spec and seed make. */
  parent: digestField.nullable(),
  round: z
    .strictObject({
      number: positiveInteger,
      attempt: positiveInteger,
      sites: positiveInteger,
      patches: positiveInteger,
      /** What was summed, without names: a site finds its own by its digest, unless the central form of privacy masks it. */
      updates: z.array(z.strictObject({ digest: digestField, patches: positiveInteger })),
      /** How the updates were clipped, and who added how much noise; absent where they were summed as they were. */
      privacy: privacyPlanSchema.pick({ form: true, clipNorm: true, noiseMultiplier: true }).optional(),
    })
    .nullable(),
  /** Seal of the link before. */
  previous: digestField.nullable(),
  seal: digestField,
});
export type LineageLink = z.infer<typeof lineageLinkSchema>;

export const federatedPassportSchema = z.strictObject({
  format: z.literal(PASSPORT_FORMAT),
  kind: z.literal('federated'),
  model: modelSchema,
  campaign: z.strictObject({
    name: nameField,
    planDigest: digestField,
    seed: z.int().min(0),
    objective: plainJson,
    recipe: plainJson,
    training: plainJson,
  }),
  lineage: z.array(lineageLinkSchema).min(1),
  /** Restoration of the sites' own probes, version by version, as means over the sites that reported one. */
  scores: z.array(
    z.strictObject({ number: positiveInteger, sites: positiveInteger, meanSkill: z.number(), meanRestorationError: z.number() }),
  ),
  software: softwareSchema,
  seal: digestField,
  /** Of the coordinator over the seal (JWS), and so over all; not part of what is sealed. Earlier coordinators signed none. */
  signature: z.string().max(1024).optional(),
});
export type FederatedPassport = z.infer<typeof federatedPassportSchema>;

const importedPassportSchema = z.strictObject({
  format: z.literal(PASSPORT_FORMAT),
  kind: z.literal('imported'),
  model: modelSchema,
  /** The file that it was read from. */
  source: z.strictObject({ digest: digestField, form: z.enum(['pytorch-zip', 'pytorch-legacy']), leftBehind: z.int().min(0) }),
  software: softwareSchema,
  seal: digestField,
});

/** What a fine-tuning says of itself; nothing of a patient, no path. */
const finetuningSchema = z.strictObject({
  task: nameField,
  kind: z.string().max(32),
  classes: z.array(nameField),
  steps: z.int().min(0),
  bestStep: z.int().min(0),
  seed: z.int().min(0),
  cases: z.strictObject({ train: z.int().min(0), validation: z.int().min(0), test: z.int().min(0) }),
  validationDice: fraction.nullable(),
});
export type FinetuningPart = z.infer<typeof finetuningSchema>;

const exportedFields = {
  format: z.literal(PASSPORT_FORMAT),
  kind: z.literal('exported'),
  model: modelSchema,
  form: z.enum(['safetensors', 'pytorch']),
  dtype: z.enum(['F32', 'F16', 'BF16']),
  /** Digest of the model file that it was written from. */
  startedFrom: digestField,
  software: softwareSchema,
  seal: digestField,
};

const finetunedFields = {
  format: z.literal(PASSPORT_FORMAT),
  kind: z.literal('fine-tuned'),
  model: modelSchema,
  finetuning: finetuningSchema,
  /** Digest of the model that it started from; null for one that began from scratch. */
  startedFrom: digestField.nullable(),
  software: softwareSchema,
  seal: digestField,
};

export type ModelPassport = FederatedPassport | z.infer<typeof importedPassportSchema> | ExportedPassport | FinetunedPassport;
/** `origin` is the passport of the model that it was written from. */
export type ExportedPassport = z.infer<z.ZodObject<typeof exportedFields, z.core.$strict>> & { origin: ModelPassport };
/** `origin` is the passport of what it started from; null where that had none. */
export type FinetunedPassport = z.infer<z.ZodObject<typeof finetunedFields, z.core.$strict>> & { origin: ModelPassport | null };

export const modelPassportSchema: z.ZodType<ModelPassport> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    federatedPassportSchema,
    importedPassportSchema,
    z.strictObject({ ...exportedFields, origin: modelPassportSchema }),
    z.strictObject({ ...finetunedFields, origin: modelPassportSchema.nullable() }),
  ]),
);

/** The same with its seal: the digest of all that it says. */
export function sealed<T extends object>(content: T): T & { seal: Digest } {
  return { ...content, seal: digestOfJson(content) };
}

/**
 * Checks a passport against itself, offline: every link of the history, the whole, and what it started from. Throws
 * PASSPORT_INVALID naming the first place that is wrong. Whether a file is the model that it speaks of, and who signed it, is for the
 * caller to see.
 */
export function verifyPassport(value: unknown): ModelPassport {
  const passport = parseWith(modelPassportSchema, value, 'PASSPORT_INVALID', 'the passport');
  // The seals are those of what was written, not of what this release makes of it.
  const written = value as ModelPassport;
  if (written.kind === 'federated') verifyLineage(written);
  if ('origin' in written && written.origin !== null) {
    verifyPassport(written.origin);
    if (written.origin.model.digest !== written.startedFrom)
      throw invalid('it started from another model than its origin speaks of');
  }
  if (!isSealed(written)) throw invalid('its seal is not that of its content');
  return passport;
}

/** The federated version that a model goes back to; undefined for one that came from elsewhere, or from nothing. */
export function federatedOrigin(passport: ModelPassport): FederatedPassport | undefined {
  if (passport.kind === 'federated') return passport;
  return 'origin' in passport && passport.origin !== null ? federatedOrigin(passport.origin) : undefined;
}

function verifyLineage({ lineage, model }: FederatedPassport): void {
  let before: LineageLink | undefined;
  for (const link of lineage) {
    const where = `version ${link.number} of its history`;
    if (!isSealed(link)) throw invalid(`${where} was changed after it was sealed`);
    if (link.number !== (before?.number ?? 0) + 1) throw invalid(`${where} is not the one that comes next`);
    if (link.previous !== (before?.seal ?? null)) throw invalid(`${where} is not sealed to the one before`);
    if (link.parent !== (before?.digest ?? null)) throw invalid(`${where} was made from another version than the one before`);
    if (link.round !== null && !addsUp(link.round)) throw invalid(`${where} counts other updates than it lists`);
    before = link;
  }
  if (before?.digest !== model.digest) throw invalid('its history ends with another model');
}

function addsUp({ sites, patches, updates }: NonNullable<LineageLink['round']>): boolean {
  return sites === updates.length && patches === updates.reduce((sum, update) => sum + update.patches, 0);
}

function isSealed({ seal, ...content }: { seal: Digest }): boolean {
  const said = Object.entries(content).filter(([name]) => name !== 'signature'); // which is over the seal
  return digestOfJson(Object.fromEntries(said)) === seal;
}

function invalid(detail: string): FederationError {
  return new FederationError('PASSPORT_INVALID', `the passport is not valid: ${detail}`, {
    remedy: 'Fetch it again: site-agent model pull CAMPAIGN@VERSION.',
  });
}
