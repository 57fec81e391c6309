import { constants } from 'node:fs';
import { copyFile, link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorReport, shortDigest } from '@consilium/shared/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { HomeFolder } from '../home/home-folder.js';
import { HOME } from '../ports.js';

interface Refusal {
  readonly participationId: string;
  readonly siteName: string;
  readonly roundId: string;
  readonly digest: string;
  readonly refusedAtMs: number;
  readonly error: ErrorReport;
}

/** Keeps refused updates with the reason beside them, for the operator to look at. */
@Injectable()
export class Quarantine {
  constructor(@Inject(HOME) private readonly home: HomeFolder) {}

  async keep(path: string, refusal: Refusal): Promise<void> {
    const name = join(this.home.quarantine, `${refusal.participationId}-${shortDigest(refusal.digest)}`);
    await link(path, `${name}.safetensors`).catch(() => copyFile(path, `${name}.safetensors`, constants.COPYFILE_FICLONE));
    await writeFile(`${name}.json`, `${JSON.stringify(refusal, null, 2)}\n`);
  }
}
