import { parsePolicy, rulesOf, sitePolicySchema, POLICY_RULES, fitsCampaign, foldersFor } from './site-policy.js';
import { EXAMPLE_POLICY } from './example-policy.js';

describe('a site’s policy', () => {
  it('has every rule in the example that is printed, and a word on each', () => {
    expect(rulesOf(parsePolicy(EXAMPLE_POLICY))).toEqual(POLICY_RULES);
    for (const rule of POLICY_RULES) expect(sitePolicySchema.shape[rule].description).toMatch(/\w/);
  });

  it('may be empty, which is no rule', () => {
    expect([parsePolicy(''), parsePolicy('# nothing yet\n')]).toEqual([{}, {}]);
  });

  it.each([
    ['campaign: {allow: [x]}', /campaign/],
    ['campaigns: {allow: [../x]}', /campaigns\.allow\.0/],
    ['folders: [{paths: [data]}]', /folders\.0\.paths\.0.*absolute/],
    ['objectives: [segmentation]', /objectives/],
    ['metrics: [names]', /metrics\.0/],
    ['hours: at night', /hours.*names no hours/],
    ['uploadLimit: 5kB', /uploadLimit.*64kB/],
    ['devices: [tpu]', /devices\.0/],
    ['minimumCohort: 0', /minimumCohort/],
    ['largestUpdate: big', /largestUpdate/],
    ['campaigns: [', /not valid YAML/],
    ['- a list', /policy/],
  ])('is refused as a whole, naming the field: %s', (text, words) => {
    expect(() => parsePolicy(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
    expect(() => parsePolicy(text)).toThrow(words);
  });

  it('takes * for any characters and everything else as it is', () => {
    expect(fitsCampaign(['chest-*'], 'chest-2026')).toBe(true);
    expect(fitsCampaign(['chest-*'], 'my-chest-2026')).toBe(false);
    expect(fitsCampaign(['a.b'], 'axb')).toBe(false);
    expect(fitsCampaign(['chest'], 'chest-2')).toBe(false);
  });

  it('opens to a campaign the folders of all entries that fit it', () => {
    const folders = [{ paths: ['/a'], campaigns: ['chest-*'] }, { paths: ['/b', '/c'] }, { paths: ['/d'], campaigns: ['brain'] }];
    expect(foldersFor({ folders }, 'chest-1')).toEqual(['/a', '/b', '/c']);
    expect(foldersFor({ folders: folders.slice(0, 1) }, 'brain')).toEqual([]);
    expect(foldersFor({}, 'brain')).toBeUndefined();
  });
});
