import { FederationError, invariant } from '@consilium/shared/kernel';
import { roleAllows } from '@consilium/shared/wire';
import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Request } from 'express';
import { NeedsRole } from './needs-role.js';
import type { OperatorCaller } from './operator-caller.js';
import { OperatorTokens } from './operator-tokens.js';
import { bearerToken } from './site-credentials.js';

const callers = new WeakMap<Request, OperatorCaller>();

/** Lets a request pass that carries the token of an operator whose role the route allows. A route that names no role is for administrators. */
@Injectable()
export class RequireOperator implements CanActivate {
  constructor(
    private readonly tokens: OperatorTokens,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    const caller = await this.tokens.authenticate(bearerToken(request.headers.authorization));
    const needed = this.reflector.getAllAndOverride(NeedsRole, [context.getHandler(), context.getClass()]) ?? 'administer';
    if (!roleAllows(caller.role, needed)) {
      throw new FederationError('ROLE_REFUSED', `this needs the role "${needed}"; yours is "${caller.role}"`, {
        details: { needed, role: caller.role },
        remedy: 'Ask whoever keeps the accounts (coordinator operator role NAME ROLE), or sign in under another name.',
      });
    }
    callers.set(request, caller);
    return true;
  }
}

/** The operator who was let in with this request; undefined where none was. */
export function operatorCalling(request: Request): OperatorCaller | undefined {
  return callers.get(request);
}

/** A handler's parameter: the operator that {@link RequireOperator} let in. */
export const Caller = createParamDecorator<undefined, OperatorCaller>((...[, context]) => {
  const caller = callers.get(context.switchToHttp().getRequest<Request>());
  invariant(caller !== undefined, 'the route is guarded by RequireOperator');
  return caller;
});
