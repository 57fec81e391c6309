import { type CredentialAnswer, credentialRequestSchema, DATA_PATHS, parseWith } from '@consilium/shared/wire';
import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { SiteAccess } from '../access/site-access.js';

/** Where a site agent has its credential renewed. */
@Controller(DATA_PATHS.credential)
export class CredentialController {
  constructor(private readonly access: SiteAccess) {}

  @Post()
  @HttpCode(200)
  async renew(
    @Body() body: unknown,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<CredentialAnswer> {
    response.setHeader('Cache-Control', 'no-store');
    const asked = parseWith(credentialRequestSchema, body ?? {}, 'MESSAGE_REFUSED', 'the request for a credential');
    return this.access.renew(request, response, asked);
  }
}
