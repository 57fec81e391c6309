import { parseWith, type RetentionAnswer, retentionOrderSchema, type RetentionView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Post, UseGuards } from '@nestjs/common';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import { Retention } from './retention.js';

/** What is kept, and what goes: bytes go for good, so that it takes who also takes the backups. */
@Controller('api/retention')
@UseGuards(RequireOperator)
@NeedsRole('administer')
export class RetentionController {
  constructor(private readonly retention: Retention) {}

  @Get()
  @NeedsRole('read')
  async show(): Promise<RetentionView> {
    return this.retention.view();
  }

  @Post('apply')
  @HttpCode(200)
  async apply(@Body() body: unknown, @Caller() { actor }: OperatorCaller): Promise<RetentionAnswer> {
    const { dryRun } = parseWith(retentionOrderSchema, body, 'ARGUMENT_INVALID', 'the order');
    return dryRun ? this.retention.foresee() : this.retention.apply(actor);
  }
}
