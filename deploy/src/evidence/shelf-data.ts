import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FederationError, required } from '@consilium/shared/kernel';
import type { Holding } from './protocol.js';

/** The folder of real scans that the protocol is made for: site folders, labelled tasks and a manifest of all files. */
export class ShelfData {
  private constructor(readonly folder: string) {}

  /** FOLDER_MISSING when it does not look like that folder. */
  static open(folder: string): ShelfData {
    if (existsSync(join(folder, 'MANIFEST.tsv'))) return new ShelfData(folder);
    throw new FederationError('FOLDER_MISSING', `${folder} does not hold the protocol's scans`, {
      remedy: 'Name the folder with MANIFEST.tsv, pretrain/, seg/ and cls/ with --data FOLDER.',
    });
  }

  path(relative: string): string {
    return join(this.folder, relative);
  }

  readJson(relative: string): unknown {
    return JSON.parse(readFileSync(this.path(relative), 'utf8'));
  }

  /** Makes a folder with copies of the volumes that a site holds, and returns how many there are. */
  gather(holdings: readonly Holding[], into: string): number {
    rmSync(into, { recursive: true, force: true });
    mkdirSync(into, { recursive: true });
    let count = 0;
    for (const { site, modality } of holdings) {
      for (const volume of this.volumes([site])) {
        if (modality !== undefined && volume.modality !== modality) continue;
        cpSync(volume.path, join(into, `${site}-${volume.file}`));
        count++;
      }
    }
    return count;
  }

  /** The volumes of site folders, with what the manifest says of them. */
  volumes(sites: readonly string[]): { readonly path: string; readonly file: string; readonly modality: string }[] {
    const modalities = this.modalities();
    return sites.flatMap((site) =>
      readdirSync(join(this.folder, 'pretrain', site))
        .sort()
        .map((file) => {
          const relative = `pretrain/${site}/${file}`;
          return { path: this.path(relative), file, modality: required(modalities.get(relative), `the modality of ${relative}`) };
        }),
    );
  }

  /** What the manifest says of each file. */
  private modalities(): ReadonlyMap<string, string> {
    const [header = '', ...rows] = readFileSync(join(this.folder, 'MANIFEST.tsv'), 'utf8').split('\n');
    const columns = header.split('\t');
    const [path, modality] = [columns.indexOf('path'), columns.indexOf('modality')];
    return new Map(rows.map((row) => row.split('\t')).map((cells) => [cells[path] as string, cells[modality] as string]));
  }
}
