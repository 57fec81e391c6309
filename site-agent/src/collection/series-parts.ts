import { dirname } from 'node:path';
import type { DicomFacts } from '../volumes/dicom/dicom-facts.js';

/**
 * The files of one series, parted into what is to be assembled together. A series spread over folders is one part; a copy of
 * (much of) a series in another folder, stored otherwise perhaps, is a part of its own and is never mixed with it.
 */
export function partsOfSeries(facts: readonly DicomFacts[]): DicomFacts[][] {
  const parts: { files: DicomFacts[]; instances: Set<string>; syntaxes: Set<string> }[] = [];
  for (const files of byFolder(facts)) {
    const instances = new Set(files.map(({ sopInstance }) => sopInstance));
    const syntaxes = new Set(files.map(({ transferSyntax }) => transferSyntax));
    const home = parts.find((part) => sharesSyntax(part.syntaxes, syntaxes) && !isCopy(part.instances, instances));
    if (home === undefined) parts.push({ files: [...files], instances, syntaxes });
    else {
      home.files.push(...files);
      for (const instance of instances) home.instances.add(instance);
      for (const syntax of syntaxes) home.syntaxes.add(syntax);
    }
  }
  return parts.map(({ files }) => files);
}

function byFolder(facts: readonly DicomFacts[]): DicomFacts[][] {
  const folders = new Map<string, DicomFacts[]>();
  for (const file of [...facts].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const folder = dirname(file.path);
    const files = folders.get(folder);
    if (files === undefined) folders.set(folder, [file]);
    else files.push(file);
  }
  return [...folders.values()];
}

/** At least half of the smaller set lies in the other one too. */
function isCopy(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  const [small, large] = one.size < other.size ? [one, other] : [other, one];
  let shared = 0;
  for (const instance of small) if (large.has(instance)) shared++;
  return 2 * shared >= small.size;
}

function sharesSyntax(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return [...other].some((syntax) => one.has(syntax));
}

/** The deepest folder that holds all the files. */
export function commonFolder(paths: readonly string[]): string {
  let folder = dirname(paths[0] ?? '');
  while (!paths.every((path) => isBelow(path, folder))) folder = dirname(folder);
  return folder;
}

function isBelow(path: string, folder: string): boolean {
  for (let above = dirname(path); ; above = dirname(above)) {
    if (above === folder) return true;
    if (above.length <= folder.length || above === dirname(above)) return false;
  }
}
