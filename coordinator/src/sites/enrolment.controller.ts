import {
  agreeOnProtocol,
  DATA_PATHS,
  type EnrolmentAnswer,
  enrolmentRequestSchema,
  exactly,
  parseWith,
} from '@consilium/shared/wire';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Log } from '../log.js';
import { SiteDirectory } from './site-directory.js';

/** Where a site agent joins. */
@Controller(DATA_PATHS.enrolment)
export class EnrolmentController {
  constructor(
    private readonly sites: SiteDirectory,
    private readonly log: Log,
  ) {}

  @Post()
  @HttpCode(200)
  async enrol(@Body() body: unknown): Promise<EnrolmentAnswer> {
    const request = parseWith(enrolmentRequestSchema, body, 'MESSAGE_REFUSED', 'the enrolment request');
    const protocolVersion = agreeOnProtocol(exactly(request.protocolVersion), 'site agent');
    const { site, credential } = await this.sites.enrol(request.token, request.agentVersion, protocolVersion);
    this.log.info(`site ${site.name} enrolled`);
    return { siteId: site.id, siteName: site.name, credential, protocolVersion };
  }
}
