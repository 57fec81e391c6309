import { type AuditEntry, parseWith } from '@consilium/shared/wire';
import { Controller, Get, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { NeedsRole } from '../access/needs-role.js';
import { RequireOperator } from '../access/require-operator.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { AuditLog } from './audit-log.js';

const PAGE = 1000;

const pageSchema = z.strictObject({ after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0) });

/** The audit log in pages; whoever reads it follows the chain for himself. */
@Controller('api/audit')
@UseGuards(RequireOperator)
@NeedsRole('read')
export class AuditController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly log: AuditLog,
  ) {}

  @Get()
  async list(@Query() query: unknown): Promise<{ entries: AuditEntry[] }> {
    const { after } = parseWith(pageSchema, query, 'ARGUMENT_INVALID', 'the page');
    return { entries: await this.unitOfWork.transact((records) => this.log.after(records, after, PAGE)) };
  }
}
