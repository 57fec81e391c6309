import { FederationError } from '@consilium/shared/kernel';
import { parseWith, UPDATE_STATES, updateDecisionSchema, type UpdateView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, Query, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { type Decision, QuarantineDesk } from './quarantine-desk.js';
import { UpdateViews } from './update-views.js';

const filterSchema = z.strictObject({ campaign: z.string().optional(), state: z.enum(UPDATE_STATES).optional() });

/** The operator's view of delivered updates, by the id of their participation, and the word on those that were held back. */
@Controller('api/updates')
@UseGuards(RequireOperator)
@NeedsRole('operate')
export class UpdatesController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly views: UpdateViews,
    private readonly desk: QuarantineDesk,
  ) {}

  @Get()
  @NeedsRole('read')
  async list(@Query() query: unknown): Promise<UpdateView[]> {
    const filter = parseWith(filterSchema, query, 'ARGUMENT_INVALID', 'the filter');
    return this.unitOfWork.transact((records) => this.views.list(records, filter));
  }

  @Get(':participationId')
  @NeedsRole('read')
  async show(@Param('participationId') participationId: string): Promise<UpdateView> {
    return this.unitOfWork.transact((records) => this.views.view(records, participationId));
  }

  @Post(':participationId/release')
  @HttpCode(200)
  async release(
    @Param('participationId') participationId: string,
    @Body() body: unknown,
    @Caller() caller: OperatorCaller,
  ): Promise<UpdateView> {
    await this.desk.release(participationId, decisionOf(body, caller));
    return this.show(participationId);
  }

  @Post(':participationId/discard')
  @HttpCode(200)
  async discard(
    @Param('participationId') participationId: string,
    @Body() body: unknown,
    @Caller() caller: OperatorCaller,
  ): Promise<UpdateView> {
    await this.desk.discard(participationId, decisionOf(body, caller));
    return this.show(participationId);
  }
}

/** A signed-in operator decides in his own name; the folder's token belongs to nobody, so that a name must come with the decision. */
function decisionOf(body: unknown, { name, actor }: OperatorCaller): Decision {
  const { operator, reason } = parseWith(updateDecisionSchema, body, 'ARGUMENT_INVALID', 'the decision');
  const decidedBy = name ?? operator;
  if (decidedBy !== undefined && (operator ?? decidedBy) === decidedBy) return { decidedBy, reason, actor };
  const message = decidedBy === undefined ? 'operator: it must say who decides' : `operator: you are signed in as ${decidedBy}`;
  throw new FederationError('ARGUMENT_INVALID', message, {
    details: { field: 'operator' },
    remedy: decidedBy === undefined ? 'Name yourself (--as NAME), or sign in.' : 'Leave it out.',
  });
}
