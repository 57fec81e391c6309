import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { modelOfSize } from '../../deploy/src/simulate/model-of-size.js';
import { forgetPeak, peakResidentMiB, residentMiB } from '../benchmarks/federation/process-facts.mjs';
import { RawSite } from '../fixtures/raw-site.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { spoolSizes } from './kill-moments.js';
import { deliveredIn, LightFederation, namesOf } from './light-federation.js';

const LIMIT_MS = 400_000;

let federation: LightFederation;
afterEach(() => federation.close());

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('a storm of reconnections', () => {
  const SITES = 50;
  const RESTARTS = 5;
  const CUTS = 3;
  /** Sockets of requests that have just ended, and the like. */
  const SPARE_HANDLES = 5;

  it(
    `${SITES} agents find their coordinator again after ${RESTARTS} restarts; neither handles nor rows are left over`,
    async () => {
      federation = await LightFederation.open({ sites: SITES });
      await federation.startSites(
        upTo(SITES).map((index) => ({ index, trainingMs: 3000 })),
        { statusPages: false },
      );
      const agentsBefore = handlesOf(federation.agent(0).pid);
      await federation.start({ model: modelOfSize(1).spec, rounds: 1, quorum: SITES });
      for (let count = 0; count < RESTARTS; count++) {
        await sleep(2000);
        await federation.coordinator.stop(count % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
        await federation.coordinator.restart();
      }
      const startedMs = performance.now();
      await federation.untilConnected(upTo(SITES));
      const seconds = (performance.now() - startedMs) / 1000;
      expect(deliveredIn(await federation.finished())).toEqual([namesOf(...upTo(SITES))]);
      expect(rowsOf(federation)).toEqual({ sites: SITES, campaigns: 1, rounds: 1, participations: SITES, updates: SITES });

      // The same once more without a restart, which would close whatever had leaked.
      const coordinatorBefore = handlesOf(federation.coordinator.pid);
      for (let count = 0; count < CUTS; count++) {
        for (const relay of federation.relays) relay.become('cut');
        await federation.until('the cut to be seen', async () => (await federation.connected()).length === 0);
        for (const relay of federation.relays) relay.become('open');
        await federation.untilConnected(upTo(SITES));
      }
      const after = (): [number, number] => [handlesOf(federation.coordinator.pid), handlesOf(federation.agent(0).pid)];
      const isSettled = (): boolean =>
        after()[0] <= coordinatorBefore + SPARE_HANDLES && after()[1] <= agentsBefore + SPARE_HANDLES;
      for (let tries = 0; tries < 50 && !isSettled(); tries++) await sleep(200);
      process.stderr.write(
        `all ${SITES} back ${seconds.toFixed(1)} s after the last restart; handles of coordinator and agents ` +
          `${coordinatorBefore} and ${agentsBefore} before, ${after().join(' and ')} after\n`,
      );
      expect(isSettled()).toBe(true);
    },
    LIMIT_MS,
  );

  function handlesOf(pid: number | undefined): number {
    return readdirSync(`/proc/${pid}/fd`).length;
  }
});

const require = createRequire(join(PROJECT_ROOT, 'coordinator/package.json'));
interface Reader {
  prepare(sql: string): { get(): { count: number } };
  close(): void;
}

function rowsOf({ coordinatorHome }: LightFederation): Record<string, number> {
  const Database = require('libsql') as new (path: string) => Reader;
  const database = new Database(join(coordinatorHome, 'coordinator.sqlite'));
  try {
    const tables = ['sites', 'campaigns', 'rounds', 'participations', 'updates'];
    return Object.fromEntries(
      tables.map((table) => [table, database.prepare(`select count(*) as count from ${table}`).get().count]),
    );
  } finally {
    database.close();
  }
}

describe('progress at full speed', () => {
  const TALKERS = 16;
  const FOR_MS = 3000;

  /** The promise is 200 ms on a machine that does nothing else. */
  const P99_BELOW_MS = 1000;

  it(
    `of ${TALKERS} sites does not keep another one from its answers`,
    async () => {
      federation = await LightFederation.open({ sites: 0, settings: { messagesPerSite: 10_000 } });
      const reachable = { url: federation.coordinator.url, operatorToken: federation.coordinator.access().token };
      const [listener, ...talkers] = await Promise.all(
        upTo(TALKERS + 1).map((index) => RawSite.enrol(reachable, `raw-${String(index).padStart(2, '0')}`)),
      );
      if (listener === undefined) throw new Error('there is a first site');
      for (const site of [listener, ...talkers]) await site.connect();
      await federation.start({ rounds: 1, quorum: TALKERS });
      const participationIds = await Promise.all(talkers.map(async (site) => (await site.trainAssignment(1)).participationId));
      let isOver = false;
      const talking = talkers.map((site, index) => talk(site, participationIds[index] ?? '', () => isOver));
      const latenciesMs = await syncLatencies(listener);
      isOver = true;
      const reports = (await Promise.all(talking)).reduce((sum, count) => sum + count, 0);
      for (const site of [listener, ...talkers]) site.disconnect();

      const p99 = latenciesMs.sort((a, b) => a - b)[Math.floor(0.99 * latenciesMs.length)] ?? Infinity;
      process.stderr.write(
        `${Math.round((1000 * reports) / FOR_MS)} progress reports a second; sync of another site: p99 ${p99.toFixed(0)} ms ` +
          `of ${latenciesMs.length}\n`,
      );
      expect(reports).toBeGreaterThan(TALKERS * 10);
      expect(p99).toBeLessThan(P99_BELOW_MS);
    },
    LIMIT_MS,
  );

  /** The next report as soon as the one before is acknowledged; returns how many there were. */
  async function talk(site: RawSite, participationId: string, isOver: () => boolean): Promise<number> {
    let step = 0;
    for (; !isOver(); step++) {
      const progress = { participationId, phase: 'training', step, steps: 1_000_000, loss: 0.1, share: 0.1 };
      const answer = await site.ask('participation:progress', progress);
      if (!answer.ok) throw new Error(answer.error.code);
    }
    return step;
  }

  async function syncLatencies(site: RawSite): Promise<number[]> {
    const latenciesMs: number[] = [];
    for (const endMs = performance.now() + FOR_MS; performance.now() < endMs; await sleep(10)) {
      const startedMs = performance.now();
      await site.sync();
      latenciesMs.push(performance.now() - startedMs);
    }
    return latenciesMs;
  }
});

describe('many uploads at once', () => {
  const SITES = 16;
  const AT_ONCE = 4;
  const MODEL = modelOfSize(5_000_000);
  const SPARE_MIB = 64;
  /** Well inside the first request of each upload. */
  const STOP_AT_BYTES = 1_000_000;

  it(
    'are received a few at a time, the others wait, all arrive; memory stays under idle, one model and 64 MiB',
    async () => {
      federation = await LightFederation.open({ sites: SITES, settings: { uploadsAtOnce: AT_ONCE } });
      await federation.startSites(upTo(SITES).map((index) => ({ index })));
      // Threads that measure and fold start with the first round and stay.
      await federation.start({ name: 'first', model: modelOfSize(1).spec, rounds: 1, quorum: SITES });
      await federation.finished('first');
      const { pid } = federation.coordinator;
      const idleMiB = residentMiB(pid);
      forgetPeak(pid);
      for (const relay of federation.relays) {
        const before = relay.bytesUp;
        relay.onUp = () => {
          if (relay.bytesUp - before > STOP_AT_BYTES) relay.become('silent');
        };
      }
      await federation.start({ model: MODEL.spec, rounds: 1, quorum: SITES });
      await federation.until('all uploads to begin', async () => spoolSizes(federation).length === SITES);
      await sleep(1000);
      expect(spoolSizes(federation).filter((size) => size > 0)).toHaveLength(AT_ONCE);

      for (const relay of federation.relays) {
        relay.onUp = undefined;
        relay.become('open');
      }
      const view = await federation.finished();
      const peakMiB = peakResidentMiB(pid);
      const modelMiB = view.version.bytes / 1024 ** 2;
      process.stderr.write(
        `${SITES} uploads of ${modelMiB.toFixed(0)} MiB, ${AT_ONCE} at a time: idle ${idleMiB.toFixed(0)} MiB, ` +
          `peak ${peakMiB.toFixed(0)} MiB\n`,
      );
      expect(deliveredIn(view)).toEqual([namesOf(...upTo(SITES))]);
      expect(peakMiB).toBeLessThan(idleMiB + modelMiB + SPARE_MIB);
    },
    LIMIT_MS,
  );
});
