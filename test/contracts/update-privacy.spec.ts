import { mkdtemp, rm } from 'node:fs/promises';
import { readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { initialWeights } from '@consilium/shared/models';
import { addGaussianNoise, noiseKey } from '@consilium/shared/safeguards';
import { readSafetensors } from '@consilium/shared/weights';
import { type CampaignView, federatedPassportSchema, modelPassportSchema, verifyPassport } from '@consilium/shared/wire';
import { modelCommand } from '../../coordinator/src/commands/model.js';
import { blobPath, enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { runCommand } from '../fixtures/run-command.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { CENTRAL, LOCAL } from '../fixtures/make-privacy.js';
import { askOperator, campaignView, constantUpdate, eventually, type RawSite } from '../fixtures/raw-site.js';
import { RunningAgent } from '../fixtures/run-agent.js';

/** A change of every weight whose norm is half of the clip norm. */
const CLIP = 0.5;
const start64 = initialWeights(MODEL, 7);
const elements = start64.reduce((sum, { values }) => sum + values.length, 0);
const HALF = CLIP / 2 / Math.sqrt(elements);

const updateOf = (place: number): Uint8Array => constantUpdate(MODEL, HALF * (place + 1) * 0.6);

describe('update privacy, over the wire', () => {
  let coordinator: TestCoordinator;
  let folder: string;
  const connected: RawSite[] = [];
  const agents: RunningAgent[] = [];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    folder = await mkdtemp(join(tmpdir(), 'update-privacy-'));
  });
  afterEach(async () => {
    for (const site of connected.splice(0)) site.disconnect();
    for (const agent of agents.splice(0)) await agent.stop();
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  const start = async (sites: readonly string[], fields: Record<string, unknown>): Promise<RawSite[]> => {
    const raw = await enrolSites(coordinator, ...sites);
    connected.push(...raw);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: sites.length, ...fields }));
    return raw;
  };
  const until = (isThere: (view: CampaignView) => boolean): Promise<CampaignView> =>
    eventually(async () => {
      const view = await campaignView(coordinator, 'lungs');
      return isThere(view) ? view : undefined;
    });

  it('central: the version is the mean of the clipped updates and of noise that the coordinator’s secret makes, to the bit', async () => {
    const sites = await start(['c', 'a', 'b'], { privacy: CENTRAL });
    for (const [place, site] of sites.entries()) {
      const assignment = await site.trainAssignment(1);
      expect(assignment.plan.privacy).toEqual(CENTRAL);
      expect(await site.deliver(assignment, updateOf(place), 10 ** place)).toMatchObject({
        ok: true,
      });
    }
    // No score is asked of anybody: the campaign ends by itself.
    const view = await until(({ state }) => state === 'finished');
    const passport = modelPassportSchema.parse(await askOperator(coordinator, 'GET', '/api/campaigns/lungs/versions/2/passport'));
    const { lineage } = federatedPassportSchema.parse(passport);
    // The digest of an update without noise would tell whether it is the one that somebody has worked out.
    const digests = sites.map((_, place) => digestOfBytes(updateOf(place)));
    const named = (lineage[1]?.round?.updates ?? []).map(({ digest }) => digest);
    expect([new Set(named).size, named.filter((digest) => digests.includes(digest))]).toEqual([3, []]);
    expect(lineage[1]?.round?.privacy).toEqual({ form: 'central', clipNorm: CLIP, noiseMultiplier: 2 });
    expect(verifyPassport(passport).kind).toBe('federated');
    const shown = (...words: string[]) => runCommand(modelCommand(), ['show', 'lungs', ...words, '--home', coordinator.home]);
    const told = await shown();
    expect(told).toContain(`privacy  central form, clip norm ${CLIP}, noise 2 of it`);
    expect(told).toMatch(/^ {9}ε up to \d+\.\d+ at δ 0\.00001, spent in the campaign so far by one site$/m);
    expect(await shown('--version', '1')).not.toContain('privacy');

    const secretFile = join(coordinator.home, 'noise.secret');
    expect(statSync(secretFile).mode & 0o777).toBe(0o600);
    const round = view.roundViews[0]?.id;
    const purpose = { form: 'central', clipNorm: CLIP, noiseMultiplier: 2, round, base: view.initialVersion.digest };
    const key = noiseKey(readFileSync(secretFile), { ...purpose, updates: digests.toSorted() });
    const noise = new Float64Array(elements);
    addGaussianNoise(noise, key, 0, 2 * CLIP);
    const sums = [0.6, 1.2, 1.8].map((share) => Math.fround(HALF * share));
    const sum = (sums[1] ?? NaN) + (sums[2] ?? NaN) + (sums[0] ?? NaN); // in the order of the sites' names
    const { weights } = await readSafetensors(blobPath(coordinator, view.version.digest));
    let place = 0;
    const wrong = weights.flatMap(({ values }, tensor) =>
      [...values].filter(
        (value, i) => value !== Math.fround((start64[tensor]?.values[i] ?? NaN) + (sum + (noise[place++] ?? NaN)) / 3),
      ),
    );
    expect([wrong, place]).toEqual([[], elements]);
    expect(view.privacy?.sites.map(({ siteName, releases }) => [siteName, releases])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ]);
    expect(view.privacy?.epsilonAtEnd).toBeCloseTo(2.165715659029443, 9);
    expect(view.version.scores).toEqual([]);
    // Losses and scores that a site sends all the same are not kept.
    expect(view.roundViews[0]?.participations.map(({ meanLoss }) => meanLoss)).toEqual([null, null, null]);
  });

  it('central: an update over the clip norm is held back for good; one that points elsewhere is not, for noise covers no choice', async () => {
    const sites = await start(['a', 'b', 'c', 'd'], { privacy: CENTRAL, quorum: 3 });
    const [over, ...fine] = sites as [RawSite, ...RawSite[]];
    const assignment = await over.trainAssignment(1);
    const refusal = await over.deliver(assignment, constantUpdate(MODEL, HALF * 2.01), 1);
    expect(refusal).toMatchObject({ ok: false, error: { code: 'UPDATE_NOT_CLIPPED', retryable: false } });
    const release = askOperator(coordinator, 'POST', `/api/updates/${assignment.participationId}/release`, { operator: 'me' });
    await expect(release).rejects.toThrow(/UPDATE_NOT_RELEASABLE/);
    const shares = [1, 1, -0.01]; // far smaller, and the other way: screening would hold it back
    for (const [place, site] of fine.entries())
      await site.deliver(await site.trainAssignment(1), constantUpdate(MODEL, HALF * (shares[place] ?? 0)), 1);
    const view = await until(({ state }) => state === 'finished');
    expect(view.roundViews[0]?.participations.map(({ siteName, state }) => `${siteName} ${state}`)).toEqual([
      'a quarantined',
      'b delivered',
      'c delivered',
      'd delivered',
    ]);
    expect(view.privacy?.sites.map(({ releases }) => releases)).toEqual([0, 1, 1, 1]);
  });

  it('a site takes part as far as its limits go, declines the rest with the reason, and keeps its ledger', async () => {
    const [raw] = await enrolSites(coordinator, 'raw');
    if (raw !== undefined) connected.push(raw);
    const invitation = (await askOperator(coordinator, 'POST', '/api/sites', { name: 'careful' })) as { token: string };
    const privacy = { required: 'local', epsilon: 3.2, delta: 1e-5 } as const; // two rounds of LOCAL: 3.159
    const run = { url: coordinator.url, token: invitation.token, siteName: 'careful', folder, constant: 0.01, privacy };
    const agent = await RunningAgent.start(run);
    agents.push(agent);
    const fields = { rounds: 3, quorum: 1, grace: '50ms', requiredSites: ['raw'], privacy: LOCAL };
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', fields));
    for (let round = 1; round <= 3; round++) {
      const assignment = await raw?.trainAssignment(round);
      if (assignment === undefined) throw new Error('the site was invited');
      await until(({ roundViews }) => {
        const part = roundViews[round - 1]?.participations.find(({ siteName }) => siteName === 'careful');
        return part?.state === 'delivered' || part?.state === 'declined';
      });
      await raw?.deliver(assignment, constantUpdate(MODEL, 0.01), 1);
    }
    const view = await until(({ state }) => state === 'finished');
    const parts = view.roundViews.map(({ participations }) => participations.find(({ siteName }) => siteName === 'careful'));
    expect(parts.map((part) => [part?.state, part?.code])).toEqual([
      ['delivered', null],
      ['delivered', null],
      ['declined', 'PRIVACY_BUDGET_SPENT'],
    ]);
    expect(view.privacy?.sites.find(({ siteName }) => siteName === 'careful')).toMatchObject({ releases: 2 });
    expect(agent.privacyRecords().map(({ roundNumber, form }) => [roundNumber, form])).toEqual([
      [1, 'local'],
      [2, 'local'],
    ]);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('heads', { rounds: 1, quorum: 1, sites: ['careful'] }));
    const heads = await eventually(async () => {
      const { roundViews } = await campaignView(coordinator, 'heads');
      return roundViews[0]?.participations[0]?.code ?? undefined;
    });
    expect(heads).toBe('PRIVACY_REQUIRED');
  });
});
