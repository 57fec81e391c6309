import { FederationError } from '@consilium/shared/kernel';
import { nameField, parseWith, type SiteDetails, type SiteView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { z } from 'zod';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { OpenRequests } from '../access/open-requests.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { Presence } from '../live/presence.js';
import { Log } from '../log.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { ParticipationRecorder } from '../rounds/participation-recorder.js';
import type { Site } from './site.entity.js';
import { SiteDirectory } from './site-directory.js';

const invitationSchema = z.strictObject({ name: nameField });

/** The operator's view of the sites. */
@Controller('api/sites')
@UseGuards(RequireOperator)
@NeedsRole('operate')
export class SitesController {
  private readonly log: Log;

  constructor(
    private readonly sites: SiteDirectory,
    private readonly presence: Presence,
    private readonly requests: OpenRequests,
    private readonly participations: ParticipationRecorder,
    private readonly register: CampaignRegister,
    private readonly unitOfWork: UnitOfWork,
    log: Log,
  ) {
    this.log = log.part('sites');
  }

  @Get()
  @NeedsRole('read')
  async list(): Promise<SiteView[]> {
    return (await this.sites.list()).map((site) => this.view(site));
  }

  @Get(':name')
  @NeedsRole('read')
  async show(@Param('name') name: string): Promise<SiteDetails> {
    return this.unitOfWork.transact(async (records) => {
      const site = await this.sites.named(records, name);
      const campaigns = (await this.register.list(records)).filter(({ sites }) => sites.some(({ id }) => id === site.id));
      return { ...this.view(site), ...detailsOf(site), campaigns: campaigns.map(({ name, state }) => ({ name, state })) };
    });
  }

  /** The only time that the token is shown. */
  @Post()
  async invite(
    @Body() body: unknown,
    @Caller() caller: OperatorCaller,
  ): Promise<{ name: string; token: string; expiresAtMs: number }> {
    const { name } = parseWith(invitationSchema, body, 'ARGUMENT_INVALID', 'the site');
    const { token, expiresAtMs } = await this.sites.invite(name, caller.actor);
    this.log.info(`site ${name} invited`, { site: name });
    return { name, token, expiresAtMs };
  }

  /** Ends the site's access at once: its connection and its transfers are cut and its open part in a round counts as failed. */
  @Post(':name/revoke')
  @HttpCode(200)
  async revoke(@Param('name') name: string, @Caller() caller: OperatorCaller): Promise<SiteView> {
    const site = await this.sites.revoke(name, caller.actor);
    this.log.info(`site ${name} revoked`, { site: name });
    this.presence.refuse(site.id, new FederationError('CREDENTIAL_REFUSED', 'this site was revoked'));
    this.requests.cut(site.id);
    await this.participations.failAllOf(site.id, 'CREDENTIAL_REFUSED');
    return this.view(site);
  }

  private view(site: Site): SiteView {
    const { id, name, state, enrolledAtMs, lastSeenAtMs } = site;
    const credential = site.keyThumbprint !== null ? 'signed' : site.credentialDigest !== null ? 'bearer' : null;
    return { id, name, state, connected: this.presence.isConnected(id), credential, enrolledAtMs, lastSeenAtMs };
  }
}

function detailsOf(site: Site): Omit<SiteDetails, keyof SiteView | 'campaigns'> {
  const { createdAtMs, tokenExpiresAtMs, keyThumbprint, credentialExpiresAtMs, agentVersion, protocolVersion, restUntilMs } =
    site;
  return { createdAtMs, tokenExpiresAtMs, keyThumbprint, credentialExpiresAtMs, agentVersion, protocolVersion, restUntilMs };
}
