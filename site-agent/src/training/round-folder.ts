import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { z } from 'zod';
import { requirePlainIdentifier } from '../config/site-folder.js';

/** What one participation keeps on disk between attempts. */
export interface RoundFolder {
  readonly path: string;
  readonly updateFile: string;
  /** What the site will keep for the campaign once the coordinator has acknowledged the update. */
  readonly stateFile: string;
  /** Written last: its presence says that the update is whole. */
  readonly resultFile: string;
  readonly baseScoreFile: string;
  /** The passes that steps are computed in, where memory is scarce. */
  readonly memoryFile: string;
}

/** The participation's folder below the rounds folder; MESSAGE_REFUSED when the identifier could name anything else. */
export function roundFolder(roundsFolder: string, participationId: string): RoundFolder {
  const path = join(roundsFolder, requirePlainIdentifier(participationId, 'participation'));
  return {
    path,
    updateFile: join(path, 'update.safetensors'),
    stateFile: join(path, 'state.safetensors'),
    resultFile: join(path, 'result.json'),
    baseScoreFile: join(path, 'base-score.json'),
    memoryFile: join(path, 'memory.json'),
  };
}

/** Makes the folder and removes what a killed attempt left half-written. */
export async function prepareFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const leftovers = (await readdir(path)).filter((name) => name.endsWith('.partial'));
    await Promise.all(leftovers.map((name) => rm(join(path, name), { force: true })));
  } catch (cause) {
    throw FederationError.from(cause, 'STORAGE_FAILED');
  }
}

/** Writes JSON whole: a crash leaves the old file or the new one. */
export async function writeRecord(path: string, record: object): Promise<void> {
  await writeFileWhole(path, [Buffer.from(`${JSON.stringify(record, null, 2)}\n`)]);
}

/** A record of the schema's form, or undefined when there is none or it does not read: it is then made anew. */
export async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  if (!existsSync(path)) return undefined;
  try {
    return schema.safeParse(JSON.parse(await readFile(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}
