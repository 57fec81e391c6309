import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { invariant } from '@consilium/shared/kernel';
import type { Request } from 'express';
import type { Site } from '../sites/site.entity.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { bearerToken } from './site-credentials.js';

const callers = new WeakMap<Request, Site>();

/** Lets a request pass that carries the credential of an enrolled site. */
@Injectable()
export class RequireSite implements CanActivate {
  constructor(private readonly sites: SiteDirectory) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Request>();
    callers.set(request, await this.sites.authenticate(bearerToken(request.headers.authorization)));
    return true;
  }
}

/** The site that {@link RequireSite} let in. */
export function callingSite(request: Request): Site {
  const site = callers.get(request);
  invariant(site !== undefined, 'the route is guarded by RequireSite');
  return site;
}
