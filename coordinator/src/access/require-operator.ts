import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OperatorAccounts } from './operator-accounts.js';
import { bearerToken } from './site-credentials.js';

/** Lets a request pass that carries the operator's token. */
@Injectable()
export class RequireOperator implements CanActivate {
  constructor(private readonly operators: OperatorAccounts) {}

  canActivate(context: ExecutionContext): boolean {
    this.operators.requireOperator(bearerToken(context.switchToHttp().getRequest<Request>().headers.authorization));
    return true;
  }
}
