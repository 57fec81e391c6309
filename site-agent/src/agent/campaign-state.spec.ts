import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { campaignStateFile, type SiteFolder, siteFolder } from '../config/site-folder.js';
import { roundFolder } from '../training/round-folder.js';
import { keepCampaignState } from './campaign-state.js';

describe('what a site keeps of a campaign when an update is acknowledged', () => {
  let site: SiteFolder;
  beforeEach(async () => {
    site = siteFolder(await mkdtemp(join(tmpdir(), 'campaign-state-')));
  });
  afterEach(() => rm(site.home, { recursive: true }));

  async function leave(participationId: string, text: string): Promise<string> {
    const { stateFile } = roundFolder(site.roundsFolder, participationId);
    await mkdir(dirname(stateFile), { recursive: true });
    await writeFile(stateFile, text);
    return stateFile;
  }
  const kept = (campaignId: string): Promise<string> => readFile(campaignStateFile(site, campaignId), 'utf8');

  it('moves on by one update at a time, however often it is asked', async () => {
    const first = await leave('part_1', 'after round 1');
    await keepCampaignState(site, 'part_1', 'campaign_1');
    await keepCampaignState(site, 'part_1', 'campaign_1');
    expect([existsSync(first), await kept('campaign_1')]).toEqual([false, 'after round 1']);
    await leave('part_2', 'after round 2');
    await keepCampaignState(site, 'part_1', 'campaign_1'); // a late repetition is not mistaken for the next
    expect(await kept('campaign_1')).toBe('after round 1');
    await keepCampaignState(site, 'part_2', 'campaign_1');
    expect(await kept('campaign_1')).toBe('after round 2');
  });

  it('keeps campaigns apart, and makes no folder where nothing is kept', async () => {
    await leave('part_1', 'of one');
    await keepCampaignState(site, 'part_1', 'campaign_1');
    await keepCampaignState(site, 'part_2', 'campaign_2');
    expect(existsSync(dirname(campaignStateFile(site, 'campaign_2')))).toBe(false);
    expect(await kept('campaign_1')).toBe('of one');
  });

  it('refuses identifiers that would lead out of the site’s folder', async () => {
    await expect(keepCampaignState(site, 'part_1', '../../elsewhere')).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
    await expect(keepCampaignState(site, '..', 'campaign_1')).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });
});
