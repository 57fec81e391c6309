import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import type { SiteFolder } from '../config/site-folder.js';

/** Where the running agent can be asked. The file may be left over from a killed agent: only an answer proves life. */
const statusFileSchema = z.object({ pid: z.int().positive(), port: z.int().positive() });
export type StatusFile = z.infer<typeof statusFileSchema>;

export function readStatusFile(folder: SiteFolder): StatusFile | undefined {
  try {
    return statusFileSchema.parse(JSON.parse(readFileSync(folder.statusFile, 'utf8')));
  } catch {
    return undefined;
  }
}

export function writeStatusFile(folder: SiteFolder, content: StatusFile): void {
  const temporary = `${folder.statusFile}.${process.pid}.partial`;
  try {
    writeFileSync(temporary, JSON.stringify(content), { mode: 0o600 });
    renameSync(temporary, folder.statusFile);
  } catch (cause) {
    throw FederationError.from(cause, 'STORAGE_FAILED');
  }
}

export function removeStatusFile(folder: SiteFolder): void {
  rmSync(folder.statusFile, { force: true });
}
