import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { digestField, parseWith } from '@consilium/shared/wire';
import { Controller, Get, Inject, Param, Res, UseGuards } from '@nestjs/common';
import type { Response } from 'express';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { weightsDropped } from '../blobs/weights-dropped.js';
import { BLOB_STORE } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { RetentionLedger } from '../retention/retention-ledger.js';
import { sendBlob } from '../transfer/send-blob.js';
import { RecordDump } from './record-dump.js';

/** What "coordinator backup" reads: records of one moment, and the files that they name. */
@Controller('api/backup')
@UseGuards(RequireOperator)
@NeedsRole('administer')
export class BackupController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly dump: RecordDump,
    private readonly retention: RetentionLedger,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
  ) {}

  /** Lines of JSON, see backup-format. A receiver that goes away is its own business. */
  @Get('records')
  async records(@Caller() caller: OperatorCaller, @Res() response: Response): Promise<void> {
    await this.dump.with(caller.actor, async (path) => {
      response.set({ 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
      await pipeline(createReadStream(path), response).catch(() => response.destroy());
    });
  }

  @Get('blobs/:digest')
  async blob(@Param('digest') text: string, @Res() response: Response): Promise<void> {
    const digest = parseWith(digestField, text, 'MESSAGE_REFUSED', 'the digest');
    // Since the records were read: whoever takes the backup reads them again.
    if (!(await this.unitOfWork.transact((records) => this.retention.isNeeded(records, digest))))
      throw weightsDropped('a file that the records named', digest);
    await sendBlob(response, await this.blobs.localPath(digest), digest);
  }
}
