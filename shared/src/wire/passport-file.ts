import { readFile } from 'node:fs/promises';
import { algorithmOf, type Digest, digestOfFile, errnoOf, FederationError } from '@consilium/shared/kernel';
import { type ModelPassport, verifyPassport } from './model-passport.js';

/** Where the passport of a model lies, whoever made it: beside the file, under its whole name, as formats share names. */
export function passportBeside(modelPath: string): string {
  return `${modelPath}.passport.json`;
}

/** The passport beside a model, checked against itself; undefined when there is none. Throws PASSPORT_INVALID. */
export async function readPassport(modelPath: string): Promise<ModelPassport | undefined> {
  const path = passportBeside(modelPath);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return undefined;
    throw FederationError.from(thrown, 'STORAGE_FAILED');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FederationError('PASSPORT_INVALID', `the passport ${path} is not JSON`, { cause, remedy: 'Fetch it again.' });
  }
  return verifyPassport(value);
}

/**
 * The passport of this very file: its digest is computed anew. Throws PASSPORT_INVALID when there is none or it contradicts itself,
 * DIGEST_MISMATCH when it is that of another file.
 */
export async function verifyModelFile(modelPath: string): Promise<{ passport: ModelPassport; digest: Digest }> {
  const passport = await readPassport(modelPath);
  if (passport === undefined) {
    throw new FederationError('PASSPORT_INVALID', `there is no passport beside the model, at ${passportBeside(modelPath)}`, {
      remedy: 'Fetch it with "site-agent model pull CAMPAIGN@VERSION", or "coordinator model passport" at the coordinator.',
    });
  }
  const digest = await digestOfFile(modelPath, algorithmOf(passport.model.digest));
  if (digest === passport.model.digest) return { passport, digest };
  throw new FederationError('DIGEST_MISMATCH', 'the passport beside the model is that of another file', {
    details: { passport: passport.model.digest, file: digest },
    remedy: 'The weights or the passport were exchanged or changed: fetch both again.',
  });
}
