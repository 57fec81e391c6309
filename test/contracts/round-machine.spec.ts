import { initialWeights } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import type { CampaignView } from '@consilium/shared/wire';
import { blobPath, enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';
import { askOperator, campaignView, constantUpdate, eventually, type RawSite } from '../fixtures/raw-site.js';

describeOnEachDatabase('the round machine, over the wire', (newDatabase) => {
  let coordinator: TestCoordinator;
  const connected: RawSite[] = [];

  const enrol = async (...names: string[]): Promise<RawSite[]> => {
    const sites = await enrolSites(coordinator, ...names);
    connected.push(...sites);
    return sites;
  };
  const start = (name: string, fields: Record<string, unknown> = {}): Promise<unknown> =>
    askOperator(coordinator, 'POST', '/api/campaigns', plan(name, fields));
  const until = (name: string, isThere: (view: CampaignView) => boolean): Promise<CampaignView> =>
    eventually(async () => {
      const view = await campaignView(coordinator, name);
      return isThere(view) ? view : undefined;
    });

  beforeEach(async () => {
    coordinator = await TestCoordinator.open({ database: await newDatabase() });
  });

  afterEach(async () => {
    for (const site of connected.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  it('a campaign with required sites that is started short is refused, naming them', async () => {
    const [, away] = await enrol('site-a', 'site-b');
    await expect(start('lungs', { requiredSites: ['site-c', 'site-d'] })).rejects.toThrow(/not enrolled: site-c, site-d/);
    away?.disconnect();
    await eventually(async () =>
      start('lungs', { requiredSites: ['site-b'] }).then(
        () => undefined,
        (error: Error) => error.message,
      ),
    ).then((message) => expect(message).toMatch(/not connected: site-b/));
    await away?.connect();
    await start('lungs', { requiredSites: ['site-b'] });
  });

  it('a round that lacks a required site says so, and makes no version of the others', async () => {
    const [a, b, c] = await enrol('site-a', 'site-b', 'site-c');
    await start('lungs', { requiredSites: ['site-c'], grace: '50ms' });
    for (const site of [a, b]) await site?.deliver(await site.trainAssignment(1), constantUpdate(MODEL, 1), 1);
    const assignment = await c?.trainAssignment(1);
    // The quorum is there and its grace is over: the round waits for the required one.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect((await campaignView(coordinator, 'lungs')).roundViews[0]?.state).toBe('training');
    await c?.ask('participation:decline', { participationId: assignment?.participationId, code: 'COLLECTION_EMPTY' });
    const view = await until('lungs', ({ state }) => state === 'failed');
    expect([view.code, view.version.number]).toEqual(['REQUIRED_SITE_MISSING', 1]);
    expect(view.roundViews[0]).toMatchObject({ state: 'failed', code: 'REQUIRED_SITE_MISSING' });
  });

  it('a cohort is drawn anew for each round; who is not drawn is not asked', async () => {
    const sites = await enrol('site-a', 'site-b', 'site-c', 'site-d');
    await start('lungs', { rounds: 4, quorum: 2, cohort: { sites: 2 }, seed: 3 });
    for (let round = 1; round <= 4; round++) {
      const view = await until(
        'lungs',
        ({ roundViews }) => roundViews[round - 1]?.state === 'training' || roundViews[round - 1]?.state === 'inviting',
      );
      const invited = view.roundViews[round - 1]?.participations.map(({ siteName }) => siteName) ?? [];
      expect(invited).toHaveLength(2);
      for (const site of sites) {
        if (invited.includes(site.name)) await site.deliver(await site.trainAssignment(round), constantUpdate(MODEL, 0), 1);
        else expect((await site.sync())?.kind).not.toBe('train');
      }
    }
    const view = await until('lungs', ({ finishedRounds }) => finishedRounds === 4);
    const cohorts = view.roundViews.map(({ participations }) => participations.map(({ siteName }) => siteName).join());
    expect(new Set(cohorts).size).toBeGreaterThan(1);
  });

  it('several campaigns at once: a site does one part after the other, and both end', async () => {
    const [a, b] = await enrol('site-a', 'site-b');
    await start('lungs', { rounds: 2 });
    await start('heads', { rounds: 2, seed: 8 });
    for (let parts = 0; parts < 4; parts++) {
      for (const site of [a, b]) {
        const assignment = await eventually(async () => {
          const now = await site?.sync();
          return now?.kind === 'train' ? now : undefined;
        });
        expect(await site?.deliver(assignment, constantUpdate(MODEL, 0.5), 1)).toMatchObject({ ok: true });
      }
    }
    for (const name of ['lungs', 'heads']) await until(name, ({ finishedRounds }) => finishedRounds === 2);
  });

  it('buffered rounds (FedBuff) close with their quorum, and a slow site counts when it comes, by its staleness', async () => {
    const [fast, slow] = await enrol('fast', 'slow');
    await start('lungs', { rounds: 3, quorum: 1, recipe: { name: 'fedbuff' } });
    const before = await slow?.trainAssignment(1);
    await fast?.deliver(await fast.trainAssignment(1), constantUpdate(MODEL, 1), 4);
    await until('lungs', ({ finishedRounds }) => finishedRounds === 1);
    // Still asked for the same part, from the version that it began with; the new round invites the other site only.
    expect(await slow?.sync()).toMatchObject({
      participationId: before?.participationId,
      plan: { roundNumber: 1, base: { number: 1 } },
    });
    if (before === undefined) throw new Error('the slow site was invited');
    expect(await slow?.deliver(before, constantUpdate(MODEL, 0.5), 4)).toMatchObject({ ok: true });
    const view = await until('lungs', ({ finishedRounds }) => finishedRounds === 2);
    expect(view.roundViews[0]?.participations[1]).toMatchObject({ siteName: 'slow', state: 'delivered', countedInRound: 2 });
    const second = await readSafetensors(blobPath(coordinator, view.roundViews[1]?.version?.digest ?? ''));
    // One version behind: weight (1 + 1)^-0.5.
    const far = initialWeights(MODEL, 7).flatMap(({ values: before }, tensor) =>
      [...(second.weights[tensor]?.values ?? [])].filter(
        (value, i) => Math.abs(value - ((before[i] ?? 0) + 1 + 0.5 / Math.SQRT2)) > 1e-6,
      ),
    );
    expect(far).toEqual([]);
    expect(await slow?.trainAssignment(3)).toMatchObject({ plan: { base: { number: 3 } } });
  });
});
