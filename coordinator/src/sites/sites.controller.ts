import { FederationError } from '@consilium/shared/kernel';
import { nameField, parseWith, type SiteView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import { Presence } from '../live/presence.js';
import { Log } from '../log.js';
import { ParticipationRecorder } from '../rounds/participation-recorder.js';
import type { Site } from './site.entity.js';
import { SiteDirectory } from './site-directory.js';

const invitationSchema = z.strictObject({ name: nameField });

/** The operator's view of the sites. */
@Controller('api/sites')
@UseGuards(RequireOperator)
@NeedsRole('operate')
export class SitesController {
  constructor(
    private readonly sites: SiteDirectory,
    private readonly presence: Presence,
    private readonly participations: ParticipationRecorder,
    private readonly log: Log,
  ) {}

  @Get()
  @NeedsRole('read')
  async list(): Promise<SiteView[]> {
    return (await this.sites.list()).map((site) => this.view(site));
  }

  /** The only time that the token is shown. */
  @Post()
  async invite(
    @Body() body: unknown,
    @Caller() caller: OperatorCaller,
  ): Promise<{ name: string; token: string; expiresAtMs: number }> {
    const { name } = parseWith(invitationSchema, body, 'ARGUMENT_INVALID', 'the site');
    const { token, expiresAtMs } = await this.sites.invite(name, caller.actor);
    this.log.info(`site ${name} invited`);
    return { name, token, expiresAtMs };
  }

  /** Ends the site's access at once: its connection is closed and its open part in a round counts as failed. */
  @Post(':name/revoke')
  @HttpCode(200)
  async revoke(@Param('name') name: string, @Caller() caller: OperatorCaller): Promise<SiteView> {
    const site = await this.sites.revoke(name, caller.actor);
    this.log.info(`site ${name} revoked`);
    this.presence.refuse(site.id, new FederationError('CREDENTIAL_REFUSED', 'this site was revoked'));
    await this.participations.failAllOf(site.id, 'CREDENTIAL_REFUSED');
    return this.view(site);
  }

  private view({ id, name, state, enrolledAtMs, lastSeenAtMs }: Site): SiteView {
    return { id, name, state, connected: this.presence.isConnected(id), enrolledAtMs, lastSeenAtMs };
  }
}
