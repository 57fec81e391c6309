import { type Clock, FederationError } from '@consilium/shared/kernel';
import type { CampaignEvent, ScoreReport } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { ModelLedger } from './model-ledger.js';

/** Records what a site measured of a version on its own probe. */
@Injectable()
export class ScoreRecorder {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly models: ModelLedger,
    private readonly events: CampaignEvents,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** NOT_FOUND unless the version is one of a campaign in which the site takes part. */
  async record(site: { id: string; name: string }, report: ScoreReport): Promise<void> {
    const event = await this.unitOfWork.transact(async (records): Promise<CampaignEvent> => {
      const campaign = await this.register.get(records, report.campaignId);
      const versions = await this.models.versionsOf(records, campaign.id);
      const version = versions.find(({ digest }) => digest === report.versionDigest);
      if (version === undefined || !campaign.sites.some(({ id }) => id === site.id)) {
        throw new FederationError('NOT_FOUND', 'this site takes no part in a campaign with such a version');
      }
      const { score, monitors } = report;
      await this.models.recordScore(records, version, site, { score, monitors });
      return {
        kind: 'score',
        campaignId: campaign.id,
        campaignName: campaign.name,
        atMs: this.clock.nowMs(),
        siteName: site.name,
        versionNumber: version.number,
        score,
        ...(monitors === undefined ? {} : { monitors }),
      };
    });
    this.events.publish([event]);
  }
}
