import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, isErrorCode, Random } from '@consilium/shared/kernel';
import { DATA_PATHS, PROTOCOL_VERSION } from '@consilium/shared/wire';
import { CoordinatorProcess } from '../../deploy/src/simulate/coordinator-process.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { makeProbeScore, makeUpdateReport } from '../fixtures/make-assignment.js';
import { mutateBytes, pick } from '../fixtures/mutate-bytes.js';
import { mutateJson } from '../fixtures/mutate-json.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite, type Reachable } from '../fixtures/raw-site.js';
import { exchange, RawFrames } from '../fixtures/raw-frames.js';

/** Another seed gives other inputs: CONSILIUM_FUZZ_SEED=… npm run jest -- test/contracts/fuzz-wire.spec.ts */
const SEED = process.env['CONSILIUM_FUZZ_SEED'] ?? 'consilium';
const MESSAGES = 4_000;
const FRAMES = 6_000;
const REQUESTS = 3_000;
const SITES = 20;
const FILES = 2_000;
/** Beyond what the first tenth of each kind of input has brought about. */
const MOST_GROWTH_BYTES = 64 * 2 ** 20;

const OFFER = {
  participationId: 'part_0123456789abcdef0123',
  uploadId: 'upload_0123456789abcdef0123',
  digest: digestOfBytes('update'),
  baseDigest: digestOfBytes('base'),
  report: makeUpdateReport(),
};
/** What sites say, right in its form. */
const SAID: Readonly<Record<string, unknown>> = {
  'site:sync': { restsForMs: 1000 },
  'participation:accept': { participationId: OFFER.participationId },
  'participation:decline': { participationId: OFFER.participationId, code: 'COLLECTION_EMPTY' },
  'participation:fail': { participationId: OFFER.participationId, code: 'TRAINING_DIVERGED' },
  'participation:progress': { participationId: OFFER.participationId, phase: 'training', step: 1, steps: 2, loss: 0.5 },
  'update:offer': OFFER,
  'score:report': { campaignId: 'campaign_0123456789abcdef0123', versionDigest: OFFER.baseDigest, score: makeProbeScore() },
};

describe('a running coordinator under thousands of wrong messages', () => {
  let folder: string;
  let running: CoordinatorProcess;
  let coordinator: Reachable;
  let pid: number;
  const logFile = (): string => join(folder, 'coordinator.log');

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fuzz-wire-'));
    const home = join(folder, 'home');
    mkdirSync(home);
    // Each input is to be looked at: limits would refuse most of them unread.
    writeFileSync(join(home, 'coordinator.yaml'), 'messagesPerSite: 100000\nrequestsPerSite: 100000\n');
    running = await CoordinatorProcess.start({ home, logFile: logFile() });
    pid = running.pid;
    const { url, token } = running.access();
    coordinator = { url, operatorToken: token };
  }, 60_000);
  afterAll(async () => {
    await running.stop();
    await rm(folder, { recursive: true });
  });
  afterEach(() => {
    // The same process, and nothing that it takes for a fault of its own.
    expect([running.hasEnded(), running.pid]).toEqual([false, pid]);
    expect(readFileSync(logFile(), 'utf8')).not.toMatch(/INVARIANT|unhandled|TypeError/i);
  });

  async function figure(name: string): Promise<number> {
    const response = await fetch(`${coordinator.url}/metrics`, {
      headers: { authorization: `Bearer ${coordinator.operatorToken}` },
    });
    const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.split(' ')[1]);
  }

  /** Does the work for each number; memory is compared once a tenth is done, and at the end. */
  async function withoutGrowth(count: number, work: (index: number, random: Random) => Promise<void>): Promise<void> {
    let early = NaN;
    for (let index = 0; index < count; index++) {
      if (index === Math.floor(count / 10)) early = await figure('process_resident_memory_bytes');
      await work(index, new Random(`${SEED}/${expect.getState().currentTestName}/${index}`));
    }
    const late = await figure('process_resident_memory_bytes');
    process.stderr.write(`${count} inputs: ${(early / 2 ** 20).toFixed(0)} → ${(late / 2 ** 20).toFixed(0)} MiB\n`);
    expect(late - early).toBeLessThan(MOST_GROWTH_BYTES);
  }

  it(`acknowledges each of ${MESSAGES} messages of an enrolled site, with a known code where it refuses`, async () => {
    const site = await RawSite.enrol(coordinator, 'talker');
    await site.connect();
    const codes = new Map<string, number>();
    await withoutGrowth(MESSAGES, async (_, random) => {
      const event = pick(random, Object.keys(SAID));
      const answer = await site.ask(event, mutateJson(random, SAID[event]));
      const code = answer.ok ? 'ok' : answer.error.code;
      expect(code === 'ok' || (isErrorCode(code) && code !== 'INVARIANT')).toBe(true);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    });
    expect(codes.get('MESSAGE_REFUSED')).toBeGreaterThan(MESSAGES / 2);
    expect(await site.sync()).toBeNull();
    site.disconnect();
  }, 600_000);

  it(`outlives ${FRAMES} frames that are no messages`, async () => {
    const site = await RawSite.enrol(coordinator, 'stranger');
    const auth = { protocolVersion: PROTOCOL_VERSION, credential: site.credential, agentVersion: '0.0.0' };
    const perConnection = 30;
    await withoutGrowth(FRAMES / perConnection, async (_, random) => {
      const frames = await RawFrames.open(coordinator.url);
      const hello = random.chance(0.5) ? auth : mutateJson(random, auth);
      frames.send(Buffer.from(`40/site,${JSON.stringify(hello)}`));
      for (let sent = 0; sent < perConnection && frames.isOpen; sent++) {
        const event = pick(random, Object.keys(SAID));
        const said = mutateJson(random, SAID[event]) ?? null;
        const packet = Buffer.from(`42/site,${random.integer(0, 9)}${JSON.stringify([event, said])}`);
        const wrong = mutateBytes(random, packet).subarray(0, 60_000);
        if (random.chance(0.1)) frames.sendBytes(wrong);
        else frames.send(wrong, random.chance(0.8) ? 1 : random.integer(0, 15));
        if (random.chance(0.05)) await new Promise((resolve) => setImmediate(resolve));
      }
      frames.close();
    });
    await eventually(async () => ((await site.connect().catch(() => undefined)) === undefined ? undefined : true));
    expect(await site.sync()).toBeNull();
    site.disconnect();
  }, 600_000);

  it(`answers ${REQUESTS} wrong requests with anything but a fault of its own`, async () => {
    const { host } = new URL(coordinator.url);
    const enrolment = JSON.stringify({ protocolVersion: PROTOCOL_VERSION, token: 'enrol_x', agentVersion: '0.0.0' });
    const token = `Authorization: Bearer ${coordinator.operatorToken}`;
    const tus = 'Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\nUpload-Metadata: participationId cGFydA==,digest c2hhMjU2';
    const posted = (body: string): string =>
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    const requests = [
      `GET /api/campaigns HTTP/1.1\r\nHost: ${host}\r\n${token}\r\n\r\n`,
      `GET /api/updates?state=accepted HTTP/1.1\r\nHost: ${host}\r\n${token}\r\n\r\n`,
      `POST /api/sites HTTP/1.1\r\nHost: ${host}\r\n${token}\r\n${posted('{"name":"x"}')}`,
      `POST ${DATA_PATHS.enrolment} HTTP/1.1\r\nHost: ${host}\r\n${posted(enrolment)}`,
      `POST ${DATA_PATHS.uploads} HTTP/1.1\r\nHost: ${host}\r\n${tus}\r\n\r\n`,
      `PATCH ${DATA_PATHS.uploads}/upload_0 HTTP/1.1\r\nHost: ${host}\r\n${tus}\r\nUpload-Offset: 0\r\nContent-Length: 5\r\n\r\nhello`,
      `GET ${DATA_PATHS.blobs}/sha256:${'0'.repeat(64)} HTTP/1.1\r\nHost: ${host}\r\nRange: bytes=0-5\r\n\r\n`,
      `GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    ].map((text) => Buffer.from(text));
    const statuses = new Map<number | undefined, number>();
    await withoutGrowth(REQUESTS, async (_, random) => {
      const status = await exchange(coordinator.url, mutateBytes(random, pick(random, requests)), 200);
      expect(status === undefined || status < 500).toBe(true);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    process.stderr.write(`${JSON.stringify([...statuses])}\n`);
    expect(statuses.size).toBeGreaterThan(4);
  }, 300_000);

  it(`holds back or refuses ${FILES} malformed updates, and makes a version of sound ones afterwards`, async () => {
    const sites = await Promise.all(
      Array.from({ length: SITES }, (_, index) => RawSite.enrol(coordinator, `site-${String(index).padStart(2, '0')}`)),
    );
    for (const site of sites) await site.connect();
    const sound = constantUpdate(MODEL, 0.125);
    const names = sites.map(({ name }) => name);
    const codes = new Map<string, number>();
    let [campaigns, files] = [0, 0];
    const storm = { rounds: 100, quorum: 1, attempts: 100, grace: '10s', sites: names };
    await withoutGrowth(FILES, async () => {
      if (files >= FILES) return;
      const asked = await Promise.all(sites.map(async (site) => ({ site, assignment: await site.sync() })));
      const training = asked.flatMap(({ site, assignment }) => (assignment?.kind === 'train' ? [{ site, assignment }] : []));
      const isOver = asked.every(({ assignment }) => assignment?.kind !== 'train');
      if (isOver && (await hasEnded(coordinator, `storm-${campaigns}`)))
        await askOperator(coordinator, 'POST', '/api/campaigns', plan(`storm-${++campaigns}`, storm));
      await Promise.all(
        training.map(async ({ site, assignment }) => {
          const wrong = mutateBytes(new Random(`${SEED}/file/${files++}`), sound);
          const code = await site.deliver(assignment, wrong.length === 0 ? Buffer.of(0) : wrong, 10).then(
            (answer) => (answer.ok ? answer.value.outcome : answer.error.code),
            // The round may be over before the last of its sites has come: its upload is refused.
            (refused: Error) => /"code":"(\w+)"/.exec(refused.message)?.[1] ?? refused.message,
          );
          expect([code, ['accepted', 'quarantined'].includes(code) || isErrorCode(code)]).toEqual([code, true]);
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }),
      );
    });
    process.stderr.write(`${files} files in ${campaigns} campaigns: ${JSON.stringify([...codes])}\n`);
    expect(files).toBeGreaterThanOrEqual(FILES);
    const held: (string | null)[] = [];
    for (let campaign = 1; campaign <= campaigns; campaign++) {
      const { roundViews } = await campaignView(coordinator, `storm-${campaign}`);
      const parts = roundViews.flatMap(({ participations }) => participations);
      held.push(...parts.filter(({ state }) => state === 'quarantined').map(({ code }) => code));
      await askOperator(coordinator, 'POST', `/api/campaigns/storm-${campaign}/cancel`).catch(() => undefined);
    }
    expect(held.length).toBeGreaterThan(FILES / 3);
    expect(held.every((code) => code !== null && isErrorCode(code))).toBe(true);
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('calm', { rounds: 1, quorum: SITES, sites: names }));
    for (const site of sites) await site.deliver(await eventually(() => calmAssignment(site)), sound, 10);
    expect(await eventually(async () => (await campaignView(coordinator, 'calm')).roundViews[0]?.version?.number)).toBe(2);
    for (const site of sites) site.disconnect();
  }, 300_000);
});

/** True when the campaign has ended, or there is none of this name yet. */
async function hasEnded(coordinator: Reachable, name: string): Promise<boolean> {
  const view = await campaignView(coordinator, name).catch(() => undefined);
  return view === undefined || !['active', 'scoring'].includes(view.state);
}

async function calmAssignment(site: RawSite) {
  const assignment = await site.sync();
  return assignment?.kind === 'train' && assignment.plan.campaignName === 'calm' ? assignment : undefined;
}
