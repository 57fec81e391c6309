import { dirname, sep } from 'node:path';
import { caseName } from './folder-pairs.js';

/**
 * What cases are called whose task does not say: as their image files, and where several have one name (`patient-7/ct.nii.gz`,
 * `patient-8/ct.nii.gz`) with as many of the folders above as tell them apart. Files that no folder tells apart (`ct.nii` beside
 * `ct.nii.gz`) keep one name. Paths are absolute.
 */
export function namesOfImages(paths: readonly string[]): ReadonlyMap<string, string> {
  const distinct = [...new Set(paths)];
  const deepest = Math.max(0, ...distinct.map((path) => path.split(sep).length));
  const names = new Map<string, string>();
  let alike = distinct;
  for (let folders = 0; alike.length > 0 && folders < deepest; folders++) {
    const byName = new Map<string, string[]>();
    for (const path of alike) {
      const name = nameWithin(path, folders);
      names.set(path, name);
      byName.set(name, [...(byName.get(name) ?? []), path]);
    }
    alike = [...byName.values()].filter((found) => new Set(found.map(dirname)).size > 1).flat();
  }
  return names;
}

function nameWithin(path: string, folders: number): string {
  const above = dirname(path).split(sep).filter(Boolean);
  return [...(folders === 0 ? [] : above.slice(-folders)), caseName(path)].join('-');
}
