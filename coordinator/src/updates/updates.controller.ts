import { parseWith, UPDATE_STATES, updateDecisionSchema, type UpdateView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { RequireOperator } from '../access/require-operator.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { QuarantineDesk } from './quarantine-desk.js';
import { UpdateViews } from './update-views.js';

const filterSchema = z.strictObject({ campaign: z.string().optional(), state: z.enum(UPDATE_STATES).optional() });

/** The operator's view of delivered updates, by the id of their participation, and the word on those that were held back. */
@Controller('api/updates')
@UseGuards(RequireOperator)
export class UpdatesController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly views: UpdateViews,
    private readonly desk: QuarantineDesk,
  ) {}

  @Get()
  async list(@Query() query: unknown): Promise<UpdateView[]> {
    const filter = parseWith(filterSchema, query, 'ARGUMENT_INVALID', 'the filter');
    return this.unitOfWork.transact((records) => this.views.list(records, filter));
  }

  @Get(':participationId')
  async show(@Param('participationId') participationId: string): Promise<UpdateView> {
    return this.unitOfWork.transact((records) => this.views.view(records, participationId));
  }

  @Post(':participationId/release')
  @HttpCode(200)
  async release(@Param('participationId') participationId: string, @Body() body: unknown): Promise<UpdateView> {
    const decision = parseWith(updateDecisionSchema, body, 'ARGUMENT_INVALID', 'the decision');
    await this.desk.release(participationId, decision);
    return this.show(participationId);
  }

  @Post(':participationId/discard')
  @HttpCode(200)
  async discard(@Param('participationId') participationId: string, @Body() body: unknown): Promise<UpdateView> {
    const decision = parseWith(updateDecisionSchema, body, 'ARGUMENT_INVALID', 'the decision');
    await this.desk.discard(participationId, decision);
    return this.show(participationId);
  }
}
