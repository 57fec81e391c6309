import { statSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';

/** Throws TASK_INVALID, naming the field and the file, unless the path is a file. */
export function requireFile(path: string, field: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isFile() === true) return;
  throw new FederationError('TASK_INVALID', `${field}: there is no file ${path}`, {
    details: { field },
    remedy: 'Paths in a task file are relative to the folder of the task file.',
  });
}

/** As {@link requireFile}, for what may be a folder with DICOM files too. */
export function requireScan(path: string, field: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) requireFile(path, field);
}
