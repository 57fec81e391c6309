import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { invariant } from '@consilium/shared/kernel';
import type { Request, Response } from 'express';
import type { Site } from '../sites/site.entity.js';
import { siteCalling } from './calling-site.js';
import { SiteAccess } from './site-access.js';

/** Lets a request pass that comes from an enrolled site. */
@Injectable()
export class RequireSite implements CanActivate {
  constructor(private readonly access: SiteAccess) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<Request>();
    await this.access.admitRequest(request, http.getResponse<Response>());
    return true;
  }
}

/** The site that {@link RequireSite} let in. */
export function callingSite(request: Request): Site {
  const site = siteCalling(request);
  invariant(site !== undefined, 'the route is guarded by RequireSite');
  return site;
}
