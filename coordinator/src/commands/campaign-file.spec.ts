import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { readCampaignFile } from './campaign-file.js';

describe('readCampaignFile', () => {
  let folder: string;
  let path: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'campaign-'));
    path = join(folder, 'campaign.yaml');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  const GOOD = 'name: lungs\nmodel: { architecture: genesis-unet3d }\ntraining: { steps: 5 }\nrounds: 3\n';

  it('fills in every default', () => {
    writeFileSync(path, GOOD);
    expect(readCampaignFile(path)).toMatchObject({
      name: 'lungs',
      quorum: 1,
      grace: '30s',
      recipe: { name: 'fedavg' },
      model: { width: 8 },
    });
  });

  it.each([
    [GOOD.replace('rounds: 3', 'rounds: 0'), 'rounds'],
    [GOOD.replace('steps: 5', 'stpes: 5'), 'training'],
    [`${GOOD}sites: [a]\nquorum: 2\n`, 'quorum'],
    [`${GOOD}deadline: tomorrow\n`, 'deadline'],
    ['name: [\n', 'YAML'],
    ['just text', 'object'],
  ])('refuses %j and names what is wrong', (text, culprit) => {
    writeFileSync(path, text);
    const refusal = refusalOf(() => readCampaignFile(path));
    expect(refusal.code).toBe('CAMPAIGN_INVALID');
    expect(refusal.message).toContain(culprit);
  });

  it('names a file that is not there', () => {
    expect(refusalOf(() => readCampaignFile(path)).code).toBe('CAMPAIGN_INVALID');
  });
});
