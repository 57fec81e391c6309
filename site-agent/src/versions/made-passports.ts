/** Passports that a site writes itself, of models that it imported, fine-tuned or exported. Numbers and names of the task; nothing of a patient. */
import { algorithmOf, type Digest, digestOfFile, isDigest } from '@consilium/shared/kernel';
import type { ModelSpec } from '@consilium/shared/models';
import { type FinetuningPart, type ModelPassport, PASSPORT_FORMAT, sealed, verifyModelFile } from '@consilium/shared/wire';
import { AGENT_VERSION } from '../config/agent-version.js';
import { writePassport } from './passport-file.js';

/** A model file that was just written. */
export interface WrittenModel {
  readonly path: string;
  readonly digest: Digest;
  readonly bytes: number;
  readonly spec: ModelSpec;
}

/** Writes the passport of a checkpoint's import beside the model; returns its path. */
export async function writeImportedPassport(
  model: WrittenModel,
  source: { readonly digest: Digest; readonly form: 'zip' | 'legacy'; readonly leftBehind: number },
): Promise<string> {
  const passport = sealed({
    format: PASSPORT_FORMAT,
    kind: 'imported' as const,
    model: modelPart(model),
    source: { ...source, form: `pytorch-${source.form}` as const },
    software: software(),
  });
  return writePassport(model.path, passport);
}

/**
 * Writes the passport of a fine-tuning beside its model, with the one of what it started from inside, where that has one which is
 * valid and its own. Returns its path.
 * @param start the file that it started from with its digest; undefined for one from scratch
 */
export async function writeFinetunedPassport(
  model: WrittenModel,
  finetuning: FinetuningPart,
  start: { readonly path: string; readonly digest: string } | undefined,
): Promise<string> {
  const origin = start === undefined ? null : await passportOf(start);
  const ownDigest = start !== undefined && isDigest(start.digest) ? start.digest : null;
  const passport: ModelPassport = sealed({
    format: PASSPORT_FORMAT,
    kind: 'fine-tuned' as const,
    model: modelPart(model),
    finetuning,
    // As the origin calls it, which may name it by another algorithm.
    startedFrom: origin?.model.digest ?? ownDigest,
    origin,
    software: software(),
  });
  return writePassport(model.path, passport);
}

/**
 * Writes the passport of an export beside the new file, with the one of the model that it was written from inside; returns its
 * path. Undefined, and nothing is written, where that model has none which is valid and its own.
 */
export async function writeExportedPassport(
  model: WrittenModel,
  form: { readonly form: 'safetensors' | 'pytorch'; readonly dtype: 'F32' | 'F16' | 'BF16' },
  sourcePath: string,
): Promise<string | undefined> {
  const origin = await passportOfStart(sourcePath);
  if (origin === null) return undefined;
  const passport: ModelPassport = sealed({
    format: PASSPORT_FORMAT,
    kind: 'exported' as const,
    model: modelPart(model),
    ...form,
    startedFrom: origin.model.digest,
    origin,
    software: software(),
  });
  return writePassport(model.path, passport);
}

/** None when another model lies there by now: training takes hours, and its start may have been made anew meanwhile. */
async function passportOf({ path, digest }: { readonly path: string; readonly digest: string }): Promise<ModelPassport | null> {
  const now = await digestOfFile(path).catch(() => undefined);
  return now === digest ? passportOfStart(path) : null;
}

/** A start model without a sound passport is no obstacle: the fine-tuned one then says only its digest. */
async function passportOfStart(path: string): Promise<ModelPassport | null> {
  return verifyModelFile(path).then(
    ({ passport }) => passport,
    () => null,
  );
}

function modelPart({ digest, bytes, spec }: WrittenModel) {
  return { digest, digestAlgorithm: algorithmOf(digest), bytes, spec: { ...spec } };
}

function software(): Record<string, string> {
  return { siteAgent: AGENT_VERSION, node: process.version };
}
