import { type Clock, type Digest, FederationError, newId } from '@consilium/shared/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { createWriteStream, type WriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { type EntityManager, type EntityMetadata, IsNull } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import { COORDINATOR_VERSION } from '../config/coordinator-version.js';
import type { HomeFolder } from '../home/home-folder.js';
import { ModelVersion } from '../models/model-version.entity.js';
import { CLOCK, HOME } from '../ports.js';
import { ENTITIES, MIGRATIONS } from '../records/data-source.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Round } from '../rounds/round.entity.js';
import { Update } from '../updates/update.entity.js';
import { backupHead, type BackupBlob, type BackupLine, type BackupRow } from './backup-format.js';

/** Rows that are held in memory at a time. */
const PAGE = 500;

/** Writes the records of one moment to a file, in bounded memory. */
@Injectable()
export class RecordDump {
  private isBusy = false;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(HOME) private readonly home: HomeFolder,
  ) {}

  /**
   * Hands the path of the file to `use` and removes it afterwards. All rows are of one transaction; other work waits for it. Throws
   * COORDINATOR_BUSY while another backup is being taken.
   */
  async with<T>(by: AuditActor, use: (path: string) => Promise<T>): Promise<T> {
    if (this.isBusy) {
      throw new FederationError('COORDINATOR_BUSY', 'another backup is being taken', { remedy: 'Try again when it is done.' });
    }
    this.isBusy = true;
    // Where the next start sweeps away what a crash has left.
    const path = join(this.home.blobs, `${newId('backup')}.partial`);
    try {
      await this.writeTo(path, by);
      return await use(path);
    } finally {
      this.isBusy = false;
      await rm(path, { force: true });
    }
  }

  private async writeTo(path: string, by: AuditActor): Promise<void> {
    const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
    const done = finished(file);
    done.catch(() => undefined); // told by the write that meets it
    try {
      await this.unitOfWork.transact((records) => this.dump(records, file, by));
      file.end();
      await done;
    } catch (cause) {
      file.destroy();
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
  }

  private async dump(records: EntityManager, file: WriteStream, by: AuditActor): Promise<void> {
    const write = async (line: BackupLine): Promise<void> => {
      if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain');
    };
    await this.audit.append(records, { kind: 'backup-taken', actor: by, subject: {} });
    const migrations = MIGRATIONS.map(({ name }) => name);
    await write(backupHead({ softwareVersion: COORDINATOR_VERSION, migrations, takenAtMs: this.clock.nowMs() }));
    let rows = 0;
    for (const entity of ENTITIES) {
      const metadata = records.connection.getMetadata(entity);
      for await (const row of rowsOf(records, metadata)) {
        await write({ kind: 'row', table: metadata.tableName, row });
        rows += 1;
      }
    }
    const blobs = await blobsOf(records);
    for (const blob of blobs) await write(blob);
    await write({ kind: 'end', rows, blobs: blobs.length });
  }
}

/** The columns as they are stored; 64-bit integers, which PostgreSQL's driver gives as text, as numbers. */
async function* rowsOf(
  records: EntityManager,
  { tableName, columns, primaryColumns }: EntityMetadata,
): AsyncGenerator<BackupRow> {
  const quoted = columns.map(({ databaseName }) => `"${databaseName}"`).join(', ');
  const order = primaryColumns.map(({ databaseName }) => `"${databaseName}"`).join(', ');
  for (let from = 0; ; from += PAGE) {
    const page: Record<string, string | number | null>[] = await records.query(
      `SELECT ${quoted} FROM "${tableName}" ORDER BY ${order} LIMIT ${PAGE} OFFSET ${from}`,
    );
    for (const row of page) {
      yield Object.fromEntries(
        columns.map(({ databaseName, type }) => {
          const value = row[databaseName] ?? null;
          return [databaseName, type === 'bigint' && value !== null ? Number(value) : value];
        }),
      );
    }
    if (page.length < PAGE) return;
  }
}

/** Every file that a row names whose bytes are to be there, each once, under its most important use. */
async function blobsOf(records: EntityManager): Promise<BackupBlob[]> {
  const unfinished = await records.find(Round, { where: { finishedAtMs: IsNull() }, select: { id: true } });
  const open = new Set(unfinished.map(({ id }) => id));
  const isThere = { droppedAtMs: IsNull() };
  const files = { digest: true, stateDigest: true, deltaDigest: true };
  const versions = await records.find(ModelVersion, { where: isThere, select: files });
  const updates = await records.find(Update, { where: isThere, select: { digest: true, state: true, foldRoundId: true } });
  const uses: [digest: Digest | null, use: BackupBlob['use']][] = [
    ...versions.map(({ digest }): [Digest, 'version'] => [digest, 'version']),
    ...versions.map(({ stateDigest }): [Digest | null, 'state'] => [stateDigest, 'state']),
    ...versions.map(({ deltaDigest }): [Digest | null, 'delta'] => [deltaDigest, 'delta']),
  ];
  for (const { digest, foldRoundId, state } of updates) {
    const isDone = state === 'discarded' || (foldRoundId !== null && !open.has(foldRoundId));
    if (isDone) uses.push([digest, 'folded-update']);
    else uses.unshift([digest, 'update']);
  }
  const blobs = new Map<Digest, BackupBlob>();
  for (const [digest, use] of uses) if (digest !== null && !blobs.has(digest)) blobs.set(digest, { kind: 'blob', digest, use });
  return [...blobs.values()];
}
