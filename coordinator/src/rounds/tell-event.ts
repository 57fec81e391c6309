import { type CampaignEvent, describeRound } from '@consilium/shared/wire';
import type { Log } from '../log.js';

/** One line of the log for a move of a campaign, a round or a site's part in one; progress and scores are not told. */
export function tellEvent(log: Log, event: CampaignEvent): void {
  const { campaignName: campaign, campaignId } = event;
  if (event.kind === 'campaign') log.info(`${campaign}: ${event.state}`, { campaign, campaignId, state: event.state });
  if (event.kind !== 'round' && event.kind !== 'participation') return;
  const { roundNumber: round, roundId, state, code } = event;
  const facts = { campaign, campaignId, round, roundId, state, code };
  if (event.kind === 'participation') {
    const { siteName: site, participationId } = event;
    const reason = code === undefined ? '' : ` (${code})`;
    log.info(`${campaign} round ${round}: ${site} ${state}${reason}`, { ...facts, site, participationId });
    return;
  }
  const missing = event.missingSites === undefined ? '' : `, without ${event.missingSites.join(', ')}`;
  const detail = code ?? event.versionDigest?.slice(0, 19);
  const said = detail === undefined ? '' : ` (${detail}${missing})`;
  log.info(`${campaign} ${describeRound(round, event.place)}: ${state}${said}`, facts);
}
