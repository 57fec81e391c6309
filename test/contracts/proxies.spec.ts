import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Check } from '@consilium/shared/terminal';
import { checkLink } from '../../site-agent/src/commands/doctor-link.js';
import { explainAgentConfig, loadAgentConfig } from '../../site-agent/src/config/agent-config.js';
import { OutgoingLine, outgoingLine } from '../../site-agent/src/link/outgoing-line.js';
import { joinSite } from '../../site-agent/src/link/join-site.js';
import { ConnectProxy } from '../fixtures/connect-proxy.js';
import { Authority, describeWithOpenssl } from '../fixtures/made-authority.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, eventually } from '../fixtures/raw-site.js';
import { ReverseProxy, type ReverseProxyOptions } from '../fixtures/reverse-proxy.js';
import { RunningAgent } from '../fixtures/run-agent.js';

const ROUNDS = 2;

describe('proxies between a site and its coordinator', () => {
  let coordinator: TestCoordinator;
  let folder: string;
  const cleanUps: (() => unknown)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'proxies-'));
    coordinator = await TestCoordinator.open();
  });
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await coordinator.remove();
    await rm(folder, { recursive: true, force: true });
  });

  async function proxy(options: ReverseProxyOptions): Promise<ReverseProxy> {
    const opened = await ReverseProxy.open(Number(new URL(coordinator.url).port), options);
    cleanUps.push(() => opened.close());
    return opened;
  }

  async function invite(name: string): Promise<string> {
    return ((await askOperator(coordinator, 'POST', '/api/sites', { name })) as { token: string }).token;
  }

  /** An agent whose folder has these settings goes through a campaign over the address. */
  async function playThrough(url: string, settings = ''): Promise<string> {
    const home = join(folder, 'aare');
    await mkdir(home);
    writeFileSync(join(home, 'site.yaml'), settings);
    const line = outgoingLine(loadAgentConfig({ home, environment: {} }));
    const token = await invite('aare');
    const agent = await RunningAgent.start({ url, token, siteName: 'aare', folder, constant: 0.5, line });
    cleanUps.push(() => agent.stop());
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: ROUNDS, quorum: 1, model: MODEL }));
    await eventually(async () => ((await campaignView(coordinator, 'lungs')).state === 'finished' ? true : undefined), 30_000);
    expect(agent.board.current).toMatchObject({ connection: 'connected', deliveredUpdates: ROUNDS, lastError: null });
    return home;
  }

  const diagnose = async (home: string): Promise<unknown> =>
    (await checkLink(loadAgentConfig({ home, environment: {} }))).map(({ name, status }) => `${name} ${status}`);
  /** One line of it. */
  const found = async (home: string, wanted: string): Promise<Check | undefined> =>
    (await checkLink(loadAgentConfig({ home, environment: {} }))).find(({ name }) => name === wanted);
  const fine = ['DNS ok', 'proxy ok', 'TLS ok', 'coordinator ok', 'clock ok', 'WebSocket ok', 'membership ok', 'upload ok'];
  /** A certificate of two days, or a line in the open. */
  const fineButTls = fine.map((line) => line.replace('TLS ok', 'TLS warning'));

  it('that let no WebSocket pass: rounds go on by long polling, and the doctor says so', async () => {
    const blocking = await proxy({ blocksWebSockets: true });
    const home = await playThrough(blocking.url);
    expect(blocking.upgrades).toBeGreaterThan(0);
    expect(await diagnose(home)).toEqual(fine.map((line) => line.replace('WebSocket ok', 'WebSocket warning')));
    const webSocket = await found(home, 'WebSocket');
    expect(webSocket?.finding).toMatch(/is blocked \(.*403.*\): the agent uses long polling/);
  }, 60_000);

  it('that stand before the coordinator under a path of their own', async () => {
    const home = await playThrough((await proxy({ prefix: '/federation/one' })).url);
    expect(await diagnose(home)).toEqual(fine);
  }, 60_000);

  it('that are the only way out, for an account: everything goes through them, and the doctor says so', async () => {
    const out = await ConnectProxy.open('aare:pass word');
    cleanUps.push(() => out.close());
    const proxyUrl = out.url('aare:pass%20word');
    // A name that only the proxy knows: what does not go through it arrives nowhere.
    const inside = `coordinator.invalid:${new URL(coordinator.url).port}`;
    const home = await playThrough(`http://${inside}`, `proxy: ${proxyUrl}\n`);
    expect(new Set(out.tunnels)).toEqual(new Set([inside]));
    const checks = await checkLink(loadAgentConfig({ home, environment: {} }));
    expect(checks.map(({ name, status }) => `${name} ${status}`)).toEqual(fineButTls);
    expect(checks.find(({ name }) => name === 'upload')?.finding).toMatch(/\/s \(.*an update of/);
    expect(checks.find(({ name }) => name === 'coordinator')?.finding).toContain('through the proxy http://aare:***@');
    const shown = JSON.stringify(explainAgentConfig({ home, environment: {} }));
    expect([shown.includes('***'), shown.includes('pass%20word')]).toEqual([true, false]);
  }, 60_000);

  it('that refuse the site are named, and so is what to do', async () => {
    const out = await ConnectProxy.open('aare:secret');
    cleanUps.push(() => out.close());
    const home = join(folder, 'refused');
    await mkdir(home);
    writeFileSync(join(home, 'site.yaml'), `proxy: ${out.url('aare:wrong')}\ncoordinator: ${coordinator.url}\n`);
    const config = loadAgentConfig({ home, environment: {} });
    const check = await found(home, 'coordinator');
    expect(check).toMatchObject({ name: 'coordinator', status: 'failed', code: 'PROXY_REFUSED' });
    expect(check?.remedy).toContain('Ask your IT department');
    const joining = joinSite(config.folder, coordinator.url, await invite('aare'), outgoingLine(config));
    await expect(joining).rejects.toMatchObject({ code: 'PROXY_REFUSED' });
    expect(out.tunnels).toEqual([]);
    expect(JSON.stringify(check)).not.toContain('wrong');
  });

  describeWithOpenssl('that end TLS', () => {
    it('stand behind another one that is the only way out', async () => {
      const authority = new Authority(folder);
      authority.issue(folder, 1);
      const [cert, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name))) as [Buffer, Buffer];
      const secure = await proxy({ tls: { cert, key } });
      const out = await ConnectProxy.open();
      cleanUps.push(() => out.close());
      const home = await playThrough(secure.url, `authority: ${authority.file}\nproxy: ${out.url()}\n`);
      expect(new Set(out.tunnels)).toEqual(new Set([new URL(secure.url).host]));
      expect(await diagnose(home)).toEqual(fineButTls);
      expect((await found(home, 'TLS'))?.finding).toMatch(/^certificate of "authority", valid until .* 1 days are left$/);
      // Without the authority the far end is a stranger's, whatever the way.
      const untrusted = new OutgoingLine({ proxyFor: () => out.url() });
      const stranger = loadAgentConfig({ home: join(folder, 'stranger'), environment: {} });
      const unknown = { code: 'COORDINATOR_UNREACHABLE', remedy: expect.stringContaining('site.yaml') as string };
      await expect(joinSite(stranger.folder, secure.url, 'enrol_any', untrusted)).rejects.toMatchObject(unknown);
    }, 60_000);

    it('with a certificate of the institution’s own authority, which the site’s settings name', async () => {
      const authority = new Authority(folder);
      authority.issue(folder, 1);
      const [cert, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(join(folder, name))) as [Buffer, Buffer];
      const secure = await proxy({ tls: { cert, key }, prefix: '/federation' });
      const stranger = join(folder, 'stranger');
      const unknown = { code: 'COORDINATOR_UNREACHABLE', remedy: expect.stringContaining('site.yaml') as string };
      const { folder: site } = loadAgentConfig({ home: stranger, environment: {} });
      await expect(joinSite(site, secure.url, 'enrol_any')).rejects.toMatchObject(unknown);
      const home = await playThrough(secure.url, `authority: ${authority.file}\n`);
      expect(await diagnose(home)).toEqual(fineButTls);
      writeFileSync(join(home, 'site.yaml'), '');
      const untrusted = await found(home, 'coordinator');
      expect(untrusted).toMatchObject({ status: 'warning', finding: expect.stringMatching(/unknown authority/) as string });
      writeFileSync(join(home, 'site.yaml'), 'authority: site.yaml\n');
      const [wrong] = await checkLink(loadAgentConfig({ home, environment: {} }));
      expect(wrong).toMatchObject({ name: 'authority', status: 'failed', code: 'CONFIG_INVALID' });
    }, 60_000);
  });
});
