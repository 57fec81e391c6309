import {
  type InvitedOperator,
  newOperatorSchema,
  type OperatorAccountView,
  parseWith,
  roleChangeSchema,
} from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { Log } from '../log.js';
import { NeedsRole } from './needs-role.js';
import { OperatorAccounts } from './operator-accounts.js';
import type { OperatorCaller } from './operator-caller.js';
import { Caller, RequireOperator } from './require-operator.js';

/** The accounts, for whoever keeps them. */
@Controller('api/operators')
@UseGuards(RequireOperator)
@NeedsRole('administer')
export class OperatorsController {
  private readonly log: Log;

  constructor(
    private readonly accounts: OperatorAccounts,
    log: Log,
  ) {
    this.log = log.part('operators');
  }

  @Get()
  async list(): Promise<OperatorAccountView[]> {
    return this.accounts.list();
  }

  /** The only time that the first password is shown. */
  @Post()
  async invite(@Body() body: unknown, @Caller() caller: OperatorCaller): Promise<InvitedOperator> {
    const { name, role } = parseWith(newOperatorSchema, body, 'ARGUMENT_INVALID', 'the operator');
    const invited = await this.accounts.invite(name, role, caller.actor);
    this.log.info(`operator ${name} invited, role ${role}`, { operator: name });
    return invited;
  }

  @Post(':name/role')
  @HttpCode(200)
  async changeRole(
    @Param('name') name: string,
    @Body() body: unknown,
    @Caller() caller: OperatorCaller,
  ): Promise<OperatorAccountView> {
    const { role } = parseWith(roleChangeSchema, body, 'ARGUMENT_INVALID', 'the role');
    return this.accounts.changeRole(name, role, caller.actor);
  }

  @Post(':name/disable')
  @HttpCode(200)
  async disable(@Param('name') name: string, @Caller() caller: OperatorCaller): Promise<OperatorAccountView> {
    const view = await this.accounts.disable(name, caller.actor);
    this.log.info(`operator ${name} disabled`, { operator: name });
    return view;
  }

  @Post(':name/reset')
  @HttpCode(200)
  async reset(@Param('name') name: string, @Caller() caller: OperatorCaller): Promise<InvitedOperator> {
    return this.accounts.reset(name, caller.actor);
  }
}
