import { thumbprintOf } from '@consilium/shared/identity';
import {
  agreeOnProtocol,
  DATA_PATHS,
  type EnrolmentAnswer,
  enrolmentRequestSchema,
  exactly,
  parseWith,
} from '@consilium/shared/wire';
import { Body, Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import { SiteAccess } from '../access/site-access.js';
import { Log } from '../log.js';
import { SiteDirectory } from './site-directory.js';

/** Where a site agent joins. */
@Controller(DATA_PATHS.enrolment)
export class EnrolmentController {
  private readonly log: Log;

  constructor(
    private readonly sites: SiteDirectory,
    private readonly access: SiteAccess,
    log: Log,
  ) {
    this.log = log.part('sites');
  }

  /** With a proof of the agent's own key the credential is bound to it; without one it is a bearer credential. */
  @Post()
  @HttpCode(200)
  async enrol(@Body() body: unknown, @Req() http: Pick<Request, 'headers' | 'method' | 'originalUrl'>): Promise<EnrolmentAnswer> {
    const request = parseWith(enrolmentRequestSchema, body, 'MESSAGE_REFUSED', 'the enrolment request');
    const { token, agentVersion } = request;
    const protocolVersion = agreeOnProtocol(exactly(request.protocolVersion), 'site agent');
    const key = await this.access.joiningKey(http as Request, token);
    if (key === undefined) {
      const { site, credential } = await this.sites.enrol(token, agentVersion, protocolVersion);
      this.log.info(`site ${site.name} enrolled with a bearer credential`, { site: site.name, siteId: site.id });
      return { siteId: site.id, siteName: site.name, credential, protocolVersion };
    }
    const site = await this.sites.enrolKey(token, agentVersion, protocolVersion, key);
    this.log.info(`site ${site.name} enrolled with a key of its own`, { site: site.name, siteId: site.id });
    return { siteId: site.id, siteName: site.name, protocolVersion, ...(await this.access.issue(site, thumbprintOf(key))) };
  }
}
