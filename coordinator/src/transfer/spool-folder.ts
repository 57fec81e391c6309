import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestField } from '@consilium/shared/wire';
import { z } from 'zod';

const SIDECAR = '.json';

/** What an upload was announced as; never changes. How far it has come is the size of the file beside it. */
const uploadRecordSchema = z.strictObject({
  id: z.string(),
  siteId: z.string(),
  participationId: z.string(),
  digest: digestField,
  bytes: z.int().min(0),
  createdAtMs: z.number(),
});
export type UploadRecord = Readonly<z.infer<typeof uploadRecordSchema>>;

/** Uploads on disk: the bytes of each under its id, and what was announced beside them as JSON. */
export class SpoolFolder {
  constructor(private readonly folder: string) {}

  /** Where an upload's bytes gather. Upload ids are made by us and hold no separators. */
  pathOf(uploadId: string): string {
    return join(this.folder, uploadId);
  }

  /** The sidecar comes last and appears whole, so that a crash leaves no upload that cannot be read. */
  async create(record: UploadRecord): Promise<void> {
    const sidecar = `${this.pathOf(record.id)}${SIDECAR}`;
    try {
      await writeFile(this.pathOf(record.id), '', { flag: 'wx', mode: 0o600 });
      await writeFile(`${sidecar}.new`, JSON.stringify(record), { mode: 0o600 });
      await rename(`${sidecar}.new`, sidecar);
    } catch (error) {
      await this.remove(record.id);
      await rm(`${sidecar}.new`, { force: true });
      throw error;
    }
  }

  /** All uploads whose record can be read. */
  async load(): Promise<UploadRecord[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith(SIDECAR));
    const records = await Promise.all(names.map((name) => readRecord(join(this.folder, name))));
    return records.filter((record) => record !== undefined);
  }

  /** Bytes on disk; undefined when the file is gone. */
  async sizeOf(uploadId: string): Promise<number | undefined> {
    return (await this.statOf(uploadId))?.size;
  }

  /** When the last byte came. */
  async touchedAtMs(uploadId: string): Promise<number | undefined> {
    return (await this.statOf(uploadId))?.mtimeMs;
  }

  /** Gone already is fine. */
  async remove(uploadId: string): Promise<void> {
    await rm(`${this.pathOf(uploadId)}${SIDECAR}`, { force: true });
    await rm(this.pathOf(uploadId), { force: true });
  }

  /** Removes files that belong to none of these uploads and were last touched before the given time. */
  async removeStrays(known: ReadonlySet<string>, beforeMs: number): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const owner = name.replace(/\.json(\.new)?$/, '');
      const path = join(this.folder, name);
      if (known.has(owner) || ((await stat(path).catch(() => undefined))?.mtimeMs ?? Infinity) >= beforeMs) continue;
      await rm(path, { force: true });
    }
  }

  private async statOf(uploadId: string) {
    return stat(this.pathOf(uploadId)).catch(() => undefined);
  }
}

async function readRecord(path: string): Promise<UploadRecord | undefined> {
  try {
    return uploadRecordSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined; // an older program's, or half-written: swept once it is old
  }
}
