import { type CredentialAnswer, DATA_PATHS } from '@consilium/shared/wire';
import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { SiteAccess } from '../access/site-access.js';

/** Where a site agent has its credential renewed. */
@Controller(DATA_PATHS.credential)
export class CredentialController {
  constructor(private readonly access: SiteAccess) {}

  @Post()
  @HttpCode(200)
  async renew(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<CredentialAnswer> {
    response.setHeader('Cache-Control', 'no-store');
    return this.access.renew(request, response);
  }
}
