import {
  type CallerView,
  type IssuedToken,
  newTokenSchema,
  type OperatorTokenView,
  parseWith,
  type SignedIn,
  signInSchema,
} from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { Log } from '../log.js';
import { NeedsRole } from './needs-role.js';
import { OperatorAccounts } from './operator-accounts.js';
import { callerView, type OperatorCaller } from './operator-caller.js';
import { OperatorTokens } from './operator-tokens.js';
import { Caller, RequireOperator } from './require-operator.js';

/** Where an operator signs in. */
@Controller('api/operator/sign-in')
export class SignInController {
  private readonly log: Log;

  constructor(
    private readonly accounts: OperatorAccounts,
    log: Log,
  ) {
    this.log = log.part('operators');
  }

  @Post()
  @HttpCode(200)
  async signIn(@Body() body: unknown): Promise<SignedIn> {
    const signedIn = await this.accounts.signIn(parseWith(signInSchema, body, 'ARGUMENT_INVALID', 'the sign-in'));
    this.log.info(`operator ${signedIn.name} signed in`, { operator: signedIn.name });
    return signedIn;
  }
}

/** What a signed-in operator does for himself. */
@Controller('api/operator')
@UseGuards(RequireOperator)
@NeedsRole('read')
export class OperatorSessionController {
  constructor(private readonly tokens: OperatorTokens) {}

  @Get()
  show(@Caller() caller: OperatorCaller): CallerView {
    return callerView(caller);
  }

  @Post('sign-out')
  @HttpCode(200)
  async signOut(@Caller() caller: OperatorCaller): Promise<CallerView> {
    await this.tokens.signOut(caller);
    return callerView(caller);
  }

  @Get('tokens')
  async list(@Caller() caller: OperatorCaller): Promise<OperatorTokenView[]> {
    return this.tokens.list(caller);
  }

  /** The only time that the token is shown. */
  @Post('tokens')
  async create(@Body() body: unknown, @Caller() caller: OperatorCaller): Promise<IssuedToken> {
    return this.tokens.create(caller, parseWith(newTokenSchema, body, 'ARGUMENT_INVALID', 'the token'));
  }

  @Post('tokens/:id/revoke')
  @HttpCode(200)
  async revoke(@Param('id') id: string, @Caller() caller: OperatorCaller): Promise<CallerView> {
    await this.tokens.revoke(caller, id);
    return callerView(caller);
  }
}
