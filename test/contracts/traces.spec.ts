import { DATA_PATHS } from '@consilium/shared/wire';
import { loadCoordinatorConfig } from '../../coordinator/src/config/coordinator-config.js';
import { Log } from '../../coordinator/src/log.js';
import { openCoordinator } from '../../coordinator/src/main.js';
import { enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, type RawSite } from '../fixtures/raw-site.js';
import { refusalOf } from '../fixtures/refusal.js';
import { type CollectedSpan, TraceCollector } from '../fixtures/trace-collector.js';

describe('traces of a coordinator', () => {
  let collector: TraceCollector;
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];

  const open = async (how: 'answers' | 'hangs' = 'answers'): Promise<void> => {
    collector = await TraceCollector.open(how);
    coordinator = await TestCoordinator.open({ settings: { tracesEndpoint: collector.url } });
  };
  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
    await collector.close();
  });

  async function playRound(): Promise<void> {
    sites.push(...(await enrolSites(coordinator, 'aare', 'birs')));
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, model: MODEL }));
    for (const site of sites) {
      const assignment = await site.trainAssignment(1);
      await site.ask('participation:accept', { participationId: assignment.participationId });
      await site.download(assignment.plan.base.digest).then((answer) => answer.arrayBuffer());
      await site.deliver(assignment, constantUpdate(MODEL, 0.5), 10);
    }
    await roundIs('finished');
  }

  const roundIs = (state: string): Promise<true> =>
    eventually(
      async () => ((await campaignView(coordinator, 'lungs')).roundViews[0]?.state === state ? true : undefined),
      20_000,
    );
  const namesOf = (spans: readonly CollectedSpan[]): string[] => spans.map(({ name }) => name).sort();

  it('show a round as a tree: its phases, each site’s part, transfers and the fold', async () => {
    await open();
    await playRound();
    await coordinator.stop();
    const [round, ...others] = collector.named('round');
    if (round === undefined) throw new Error('no round was traced');
    expect([others, round.parentId, round.hasFailed]).toEqual([[], undefined, false]);
    expect(collector.sender).toMatchObject({ 'service.name': 'consilium-coordinator' });
    expect(round.facts).toMatchObject({
      'consilium.campaign': 'lungs',
      'consilium.round.number': 1,
      'consilium.round.attempt': 1,
      'consilium.round.id': expect.stringMatching(/^round_/) as string,
      'consilium.round.state': 'finished',
    });
    expect(round.facts['consilium.resumed']).toBeUndefined();
    const phases = ['phase aggregating', 'phase inviting', 'phase planned', 'phase training'];
    expect(namesOf(collector.childrenOf(round))).toEqual(['part', 'part', ...phases]);
    const parts = collector.named('part');
    expect(parts.map(({ facts }) => [facts['consilium.site'], facts['consilium.part.state']]).sort()).toEqual([
      ['aare', 'delivered'],
      ['birs', 'delivered'],
    ]);
    for (const part of parts) {
      expect(namesOf(collector.childrenOf(part))).toEqual(['download', 'part accepted', 'part invited', 'upload']);
      const [upload] = collector.childrenOf(part).filter(({ name }) => name === 'upload');
      expect(upload?.facts).toMatchObject({ 'consilium.bytes': constantUpdate(MODEL, 0.5).length });
    }
    const [aggregating] = collector.named('phase aggregating');
    if (aggregating === undefined) throw new Error('the fold has no phase');
    expect(namesOf(collector.childrenOf(aggregating))).toEqual(['fold', 'publish']);
    expect(collector.named('fold')[0]?.facts).toMatchObject({ 'consilium.updates': 2 });
    const inTrace = collector.spans.filter(({ traceId }) => traceId === round.traceId);
    expect(inTrace.length).toBe(1 + 4 + 2 + 2 * 4 + 2);
    for (const { startNs, endNs } of inTrace) {
      expect(startNs >= round.startNs && startNs <= endNs).toBe(true);
    }
  }, 60_000);

  it('show requests by route, status and role, and nothing of what was asked', async () => {
    await open();
    await playRound();
    expect((await fetch(`${coordinator.url}/api/campaigns/secret-name?token=secret`)).status).toBe(401);
    await fetch(`${coordinator.url}/healthz`);
    await coordinator.stop();
    const requests = collector.spans.filter(({ kind }) => kind === 2);
    const said = requests.map(({ facts }) =>
      ['http.request.method', 'http.route', 'http.response.status_code', 'consilium.role'].map((name) => facts[name]).join(' '),
    );
    expect(said).toEqual(
      expect.arrayContaining([
        'POST /api/campaigns 201 administer',
        'GET /api/campaigns/:idOrName 401 anybody',
        `GET ${DATA_PATHS.blobs}/:digest 200 site`,
        `POST ${DATA_PATHS.uploads} 201 site`,
        `PATCH ${DATA_PATHS.uploads} 204 site`,
      ]),
    );
    expect(requests.every(({ parentId }) => parentId === undefined)).toBe(true);
    expect(requests.map(({ name }) => name)).toContain(`GET ${DATA_PATHS.blobs}/:digest`);
    const text = JSON.stringify(collector.spans, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    for (const never of ['secret', 'healthz', coordinator.operatorToken]) expect(text).not.toContain(never);
  }, 60_000);

  it('end where the coordinator ends, and begin anew under the round’s identifier; a failed part has its code', async () => {
    await open();
    sites.push(...(await enrolSites(coordinator, 'aare', 'birs')));
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, model: MODEL }));
    const [aare, birs] = sites as [RawSite, RawSite];
    const forAare = await aare.trainAssignment(1);
    await birs.trainAssignment(1);
    await aare.ask('participation:accept', { participationId: forAare.participationId });
    for (const site of sites) site.disconnect();
    await coordinator.stop();
    const [before] = collector.named('round');
    expect(before?.facts).toMatchObject({ 'consilium.interrupted': true });
    await coordinator.start();
    for (const site of sites) await site.connect();
    await aare.deliver(await aare.trainAssignment(1), constantUpdate(MODEL, 0.5), 10);
    await birs.deliver(await birs.trainAssignment(1), constantUpdate(MODEL, Number.NaN), 10);
    await eventually(async () => (await campaignView(coordinator, 'lungs')).roundViews[0]?.state === 'failed' || undefined);
    await coordinator.stop();
    const after = collector.named('round').at(-1);
    expect(after?.facts).toMatchObject({ 'consilium.resumed': true, 'consilium.round.id': before?.facts['consilium.round.id'] });
    expect(after?.traceId).not.toBe(before?.traceId);
    expect([after?.hasFailed, after?.facts['error.type']]).toEqual([true, 'QUORUM_MISSED']);
    const failed = collector.named('part').filter(({ hasFailed }) => hasFailed);
    expect(failed.map(({ facts }) => [facts['consilium.site'], facts['error.type']])).toEqual([['birs', 'UPDATE_NOT_FINITE']]);
  }, 60_000);

  it('cost a round nothing where the collector hangs, and a stop two seconds', async () => {
    await open('hangs');
    await playRound();
    await eventually(async () => (collector.requests > 0 ? true : undefined), 10_000);
    const stoppedAtMs = Date.now();
    await coordinator.stop();
    expect(Date.now() - stoppedAtMs).toBeLessThan(8_000);
    expect(collector.spans).toEqual([]);
  }, 60_000);
});

describe('where traces go', () => {
  const config = (settings: Record<string, string>, environment: Record<string, string> = {}) =>
    loadCoordinatorConfig({ flags: { home: 'nowhere', ...settings }, environment }).config.traces;

  it('nowhere unless a collector is named; ours outranks the variable that others share', () => {
    expect(config({})).toEqual({ endpoint: undefined, share: 1 });
    expect(config({}, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318/' }).endpoint).toBe('http://a:4318/v1/traces');
    const both = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://a:4318', CONSILIUM_COORDINATOR_TRACES_ENDPOINT: 'https://b/v1/traces' };
    expect(config({ tracesShare: '0.1' }, both)).toEqual({ endpoint: 'https://b/v1/traces', share: 0.1 });
    const wrong: Record<string, string>[] = [
      { tracesEndpoint: 'http://u:p@a' },
      { tracesEndpoint: 'ftp://a' },
      { tracesShare: '2' },
    ];
    for (const settings of wrong) expect(refusalOf(() => config(settings)).code).toBe('CONFIG_INVALID');
  });

  it('says in one line that a collector is away, and rounds and requests go on', async () => {
    const home = await TestCoordinator.open();
    await home.stop();
    const lines: string[] = [];
    const log = Log.ofLevel('warn', (line) => lines.push(line));
    const flags = { home: home.home, port: 0, logLevel: 'silent', tracesEndpoint: 'http://127.0.0.1:9' };
    const running = await openCoordinator(loadCoordinatorConfig({ flags, environment: {} }).config, { log });
    try {
      const until = Date.now() + 30_000;
      while (lines.length === 0 && Date.now() < until) {
        expect((await fetch(`${running.url}/api/openapi.json`)).status).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      expect(lines).toEqual([expect.stringContaining('traces do not reach the collector')]);
    } finally {
      await running.stop();
      await home.remove();
    }
  }, 60_000);
});
