import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where the picture of each case lies. Case names may hold anything: the number tells two apart whose names become the same. */
export function nameFiles(cases: readonly { readonly name: string }[], resultFolder: string): ReadonlyMap<string, string> {
  const fileOf = (name: string, index: number): string => `${index + 1}-${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}.png`;
  return new Map(cases.map(({ name }, index) => [name, join(resultFolder, 'overlays', fileOf(name, index))]));
}

/** The pictures (PNG) of the cases that have one, by case. */
export async function readPictures(
  cases: readonly { readonly name: string }[],
  files: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const pictures = new Map<string, Uint8Array>();
  for (const { name } of cases) {
    const picture = await readFile(files.get(name) ?? '').catch(() => undefined);
    if (picture !== undefined) pictures.set(name, picture);
  }
  return pictures;
}
