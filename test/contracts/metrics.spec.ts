import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { describeWithPostgres, TestPostgres } from '../fixtures/start-postgres.js';

/** What a scrape says: value by name with its labels as they are written. */
async function scrape({ url, operatorToken }: TestCoordinator): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${operatorToken}` } });
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^text\/plain; version=0\.0\.4/) as string,
  ]);
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))] as const),
  );
}

describe('what Prometheus reads', () => {
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];
  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
  });
  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  it('follows a round: its phases, the bytes, who is late and what is held back', async () => {
    for (const name of ['a', 'b']) sites.push(await RawSite.enrol(coordinator, name));
    const [a, b] = sites;
    if (a === undefined || b === undefined) throw new Error('two sites');
    for (const site of sites) await site.connect();
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1 }));
    const [forA, forB] = [await a.trainAssignment(1), await b.trainAssignment(1)];
    const update = constantUpdate(MODEL, 0.5);
    await a.deliver(forA, update, 10);
    b.disconnect();
    const midst = await eventually(async () => {
      const seen = await scrape(coordinator);
      return seen.get('consilium_site_connected{site="b"}') === 0 ? seen : undefined;
    });
    expect(midst.get('consilium_site_connected{site="a"}')).toBe(1);
    expect(midst.get('consilium_site_lag_seconds{site="a"}')).toBe(0);
    expect(midst.get('consilium_site_lag_seconds{site="b"}')).toBeGreaterThan(0);
    expect(midst.get('consilium_received_bytes_total')).toBe(update.length);
    expect(midst.get('consilium_weights_bytes{kind="updates"}')).toBe(update.length);
    expect(midst.get('consilium_weights_bytes{kind="versions"}')).toBeGreaterThan(0);
    expect(midst.get('consilium_campaigns{state="active"}')).toBe(1);
    expect(midst.get('consilium_rounds_total{campaign="lungs",state="finished"}')).toBeUndefined();
    expect(midst.get('consilium_records_up')).toBe(1);
    await b.connect();
    await b.deliver(forB, constantUpdate(MODEL, Number.NaN), 10);
    const held = await scrape(coordinator);
    expect(held.get('consilium_updates{state="quarantined"}')).toBe(1);
    expect(held.get('consilium_participations_total{state="quarantined",code="UPDATE_NOT_FINITE"}')).toBe(1);
    await eventually(async () =>
      (await campaignView(coordinator, 'lungs')).roundViews[0]?.state !== 'training' ? true : undefined,
    );
    const after = await scrape(coordinator);
    expect(after.get('consilium_round_phase_seconds_count{state="training"}')).toBe(1);
    expect(after.get('consilium_rounds_total{campaign="lungs",state="failed"}')).toBe(1);
    expect(after.get('process_resident_memory_bytes')).toBeGreaterThan(0);
  }, 30_000);

  it('is for operators only, and health for everybody', async () => {
    expect((await fetch(`${coordinator.url}/metrics`)).status).toBe(401);
    for (const path of ['healthz', 'readyz', 'api/health']) {
      const response = await fetch(`${coordinator.url}/${path}`);
      expect([path, response.status, await response.json()]).toEqual([path, 200, { status: 'ok', protocolVersion: 2 }]);
    }
  });

  it('has every figure that the dashboard draws', async () => {
    for (const name of ['a']) sites.push(await RawSite.enrol(coordinator, name));
    const written = readFileSync(join(PROJECT_ROOT, 'deploy/grafana/coordinator.json'), 'utf8');
    const { panels } = JSON.parse(written) as { panels: { targets: { expr: string }[] }[] };
    const response = await fetch(`${coordinator.url}/metrics`, {
      headers: { authorization: `Bearer ${coordinator.operatorToken}` },
    });
    const known = new Set([...(await response.text()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name));
    const drawn = panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) =>
        [...expr.matchAll(/\b(consilium|process|nodejs)_\w+/g)].map(([name]) => name.replace(/_bucket$/, '')),
      ),
    );
    expect(drawn.length).toBeGreaterThan(panels.length);
    expect(drawn.filter((name) => !known.has(name))).toEqual([]);
  });
});

describeWithPostgres('watching a coordinator whose database is away', () => {
  it('still says that it lives, that it is not ready, and why', async () => {
    const server = await TestPostgres.start();
    const coordinator = await TestCoordinator.open({ database: await server.createDatabase() });
    try {
      expect((await fetch(`${coordinator.url}/readyz`)).status).toBe(200);
      await server.kill();
      expect((await fetch(`${coordinator.url}/healthz`)).status).toBe(200);
      const ready = await fetch(`${coordinator.url}/readyz`);
      expect([ready.status, ((await ready.json()) as { code: string }).code]).toEqual([503, 'STORAGE_FAILED']);
      expect((await scrape(coordinator)).get('consilium_records_up')).toBe(0);
      await server.run();
      await eventually(async () => ((await fetch(`${coordinator.url}/readyz`)).ok ? true : undefined));
      expect((await scrape(coordinator)).get('consilium_records_up')).toBe(1);
    } finally {
      await coordinator.remove();
      await server.remove();
    }
  }, 60_000);
});
