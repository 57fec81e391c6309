import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Digest, Random } from '@consilium/shared/kernel';
import { lightSiteName } from '../../deploy/src/simulate/enrol-light-site.js';
import { UploadWatch } from '../benchmarks/federation/upload-watch.mjs';
import { fresh, isAverageOf } from './averaged-by-hand.js';
import { killCoordinatorAt, onPartial, partials, pathOfBlob, RecordsLock, spooledBytes, stopUploads } from './kill-moments.js';
import { deliveredIn, digestsOf, LightFederation, namesOf } from './light-federation.js';

const SITES = [0, 1, 2];
const ROUNDS = 6;
const LIMIT_MS = 400_000;

/** The promise is 10 s on a machine that does nothing else. */
const FIRST_CHUNK_WITHIN_SECONDS = 30;

const FOLD_DELAYS_MS = [0, 5, 20, 60];

/** Rounds in which a moment of a few milliseconds is aimed at. */
const TRIES = 3;

const SCHEDULE_SEED = 'kill-matrix/4';
const RANDOM_KILLS = 12;

interface Beginning {
  readonly isApart?: boolean;
  readonly trainingMs?: (index: number) => number;
}

describe('one campaign of real processes, killed with -9', () => {
  let undisturbed: readonly (string | undefined)[];
  let federation: LightFederation;

  beforeAll(async () => {
    const calm = await LightFederation.open({ sites: SITES.length });
    try {
      await calm.startSites(SITES.map((index) => ({ index })));
      await calm.start({ rounds: ROUNDS, quorum: SITES.length });
      const view = await calm.finished();
      expect(
        await isAverageOf(
          calm,
          view,
          Array.from({ length: ROUNDS }, (_, round) => fresh(round + 1, SITES)),
        ),
      ).toBe(true);
      undisturbed = digestsOf(view);
      expect(new Set(undisturbed).size).toBe(ROUNDS);
    } finally {
      await calm.close();
    }
  }, LIMIT_MS);

  afterEach(() => federation.close());

  /** All sites in one process, or each in one of its own, and the campaign under way. */
  async function begin(rounds: number, { isApart = false, trainingMs = () => 0 }: Beginning = {}): Promise<void> {
    federation = await LightFederation.open({ sites: SITES.length });
    const sites = SITES.map((index) => ({ index, trainingMs: trainingMs(index) }));
    if (isApart) await Promise.all(sites.map((each) => federation.startSites([each])));
    else await federation.startSites(sites);
    await federation.start({ rounds, quorum: SITES.length });
  }

  /** The same versions as without the kills, from every site's update once and in its own round. */
  async function expectUndisturbed(rounds: number): Promise<void> {
    const view = await federation.finished();
    expect(digestsOf(view)).toEqual(undisturbed.slice(0, rounds));
    expect(deliveredIn(view)).toEqual(Array.from({ length: rounds }, () => namesOf(...SITES)));
    const updates = await federation.updates();
    expect(updates).toHaveLength(rounds * SITES.length);
    for (const { roundNumber, countsInRound, state } of updates) {
      expect({ countsInRound, state }).toEqual({ countsInRound: roundNumber, state: 'accepted' });
    }
  }

  describe('the coordinator', () => {
    it(
      'after the invitation',
      async () => {
        await begin(2);
        await killCoordinatorAt(federation, { kind: 'round', state: 'inviting', roundNumber: 2 });
        await federation.coordinator.restart();
        await expectUndisturbed(2);
      },
      LIMIT_MS,
    );

    it(
      'in the middle of three uploads: what it had taken is not sent again',
      async () => {
        await begin(1);
        await stopUploads(federation, SITES);
        const taken = spooledBytes(federation);
        await federation.coordinator.stop('SIGKILL');
        const uploads = new UploadWatch(federation.uploads, federation.relays);
        expect([...uploads.accepted.values()].reduce((sum, bytes) => sum + bytes, 0)).toBe(taken);
        for (const relay of federation.relays) relay.become('open');

        const startedMs = performance.now();
        federation.coordinator.spawn();
        await federation.until('the first accepted chunk', async () => uploads.hasGrown());
        const seconds = (performance.now() - startedMs) / 1000;
        await expectUndisturbed(1);
        expect(uploads.resentBytes).toBe(0);
        process.stderr.write(`first accepted chunk ${seconds.toFixed(1)} s after the coordinator's start, ${taken} bytes kept\n`);
        expect(seconds).toBeLessThan(FIRST_CHUNK_WITHIN_SECONDS);
      },
      LIMIT_MS,
    );

    it(
      'after the last receipt, before the fold',
      async () => {
        federation = await LightFederation.open({ sites: SITES.length + 1, settings: { scoringPresence: '1s' } });
        await federation.startSites(SITES.map((index) => ({ index })));
        // The fourth site never comes: for the time of grace the round has all that it will get.
        await federation.start({ rounds: 1, quorum: SITES.length, grace: '2s' });
        await federation.until(
          'three receipts',
          async () => countOf(federation.coordinatorLog(), /delivered$/gm) === SITES.length,
        );
        await federation.coordinator.stop('SIGKILL');
        expect(federation.coordinatorLog()).not.toContain('aggregating');
        await federation.coordinator.restart();
        await expectUndisturbed(1);
      },
      LIMIT_MS,
    );

    it(
      'in the middle of a fold, at several points of it',
      async () => {
        await begin(3, { trainingMs: () => 1000 });
        const left: string[] = [];
        for (const delayMs of FOLD_DELAYS_MS) {
          const killed = killInFold(delayMs);
          // The fold that was killed begins anew with the process: the next kill must be ready for it.
          if (federation.coordinator.hasEnded()) federation.coordinator.spawn();
          await killed;
          left.push(partials(federation, 'fold').length > 0 ? 'half a version' : 'none');
        }
        process.stderr.write(`killed ${FOLD_DELAYS_MS.join(', ')} ms into a fold, which left: ${left.join(', ')}\n`);
        expect(left).toContain('half a version');
        await federation.coordinator.restart();
        await expectUndisturbed(3);
        expect(partials(federation, 'fold')).toEqual([]);
      },
      LIMIT_MS,
    );

    async function killInFold(delayMs: number): Promise<void> {
      let isSeen = false;
      const kill = (): void => void process.kill(federation.coordinator.pid, 'SIGKILL');
      const watching = onPartial(federation, 'fold', () => {
        if (isSeen) return;
        isSeen = true;
        if (delayMs === 0) kill();
        else setTimeout(kill, delayMs);
      });
      await federation.until('a fold', async () => isSeen && federation.coordinator.hasEnded());
      watching.close();
    }

    it(
      'when the new version has its name and its round does not know it yet',
      async () => {
        await begin(TRIES, { trainingMs: () => 500 });
        let [tries, caught] = [0, 0];
        // While another process writes to its records, the coordinator can give the new version its name and cannot record it.
        while (caught === 0 && tries < TRIES) {
          const round = ++tries;
          const digest = undisturbed[round - 1] as Digest;
          const lock = await RecordsLock.open(federation);
          const watching = onPartial(federation, 'fold', () => void lock.take());
          await federation.until('the version', async () => existsSync(pathOfBlob(federation, digest)));
          await federation.coordinator.stop('SIGKILL');
          watching.close();
          if ((await lock.stateOfRound(round)) === 'aggregating') caught++;
          await lock.close();
          await federation.coordinator.restart();
        }
        process.stderr.write(`killed between the file and the fact at try ${tries}\n`);
        expect(caught).toBe(1);
        await expectUndisturbed(TRIES);
      },
      LIMIT_MS,
    );

    it(
      'between two rounds',
      async () => {
        await begin(3);
        for (const roundNumber of [1, 2]) {
          await killCoordinatorAt(federation, { kind: 'round', state: 'finished', roundNumber });
          await federation.coordinator.restart();
        }
        await expectUndisturbed(3);
      },
      LIMIT_MS,
    );
  });

  describe('an agent', () => {
    const VICTIM = 1;

    it(
      'while its trainer works',
      async () => {
        await begin(2, { isApart: true, trainingMs: () => 1500 });
        await federation.heard({ kind: 'participation', state: 'training', roundNumber: 2, siteName: lightSiteName(VICTIM) });
        await federation.endAgent(VICTIM, 'SIGKILL');
        federation.startAgain(VICTIM);
        await expectUndisturbed(2);
      },
      LIMIT_MS,
    );

    it(
      'in the middle of its upload: what was taken is not sent again',
      async () => {
        await begin(1, { isApart: true });
        await stopUploads(federation, [VICTIM]);
        await federation.endAgent(VICTIM, 'SIGKILL');
        const uploads = new UploadWatch(federation.uploads, federation.relays);
        expect([...uploads.accepted.values()].some((bytes) => bytes > 0)).toBe(true);
        federation.relayOf(VICTIM).become('open');
        federation.startAgain(VICTIM);
        await expectUndisturbed(1);
        expect(uploads.resentBytes).toBe(0);
        expect(countOf(federation.logOf(VICTIM), /training \d+ steps/g)).toBe(1);
      },
      LIMIT_MS,
    );

    it(
      'between its offer and the answer: it offers again and counts once',
      async () => {
        // The others have delivered by then: what the coordinator begins to keep is the victim's.
        await begin(TRIES, { isApart: true, trainingMs: (index) => (index === VICTIM ? 800 : 0) });
        let [tries, caught] = [0, 0];
        while (caught === 0 && tries < TRIES) {
          const roundNumber = ++tries;
          await killAtReceipt(roundNumber);
          federation.startAgain(VICTIM);
          await federation.heard({ kind: 'round', state: 'finished', roundNumber });
          await federation.until('the agent to learn it', async () =>
            federation.logOf(VICTIM).includes(`round ${roundNumber}: update delivered`),
          );
          if (federation.logOf(VICTIM).includes(`round ${roundNumber}: update delivered before`)) caught++;
        }
        process.stderr.write(`killed between offer and answer at try ${tries}\n`);
        expect(caught).toBe(1);
        await expectUndisturbed(TRIES);
      },
      LIMIT_MS,
    );

    /** The coordinator looks at the offered bytes before it answers: when it begins to keep them, the agent has its answer not yet. */
    async function killAtReceipt(roundNumber: number): Promise<void> {
      const delivered = { kind: 'participation', state: 'delivered', roundNumber };
      for (const index of SITES.filter((other) => other !== VICTIM)) {
        await federation.heard({ ...delivered, siteName: lightSiteName(index) });
      }
      const kill = (): void => void federation.agent(VICTIM).kill('SIGKILL');
      const watching = onPartial(federation, 'blob', kill);
      await federation.heard({ ...delivered, siteName: lightSiteName(VICTIM) });
      await federation.endAgent(VICTIM, 'SIGKILL');
      watching.close();
    }
  });

  it(
    `any process at any moment, ${RANDOM_KILLS} times`,
    async () => {
      const random = new Random(SCHEDULE_SEED);
      await begin(ROUNDS, { isApart: true, trainingMs: () => 1000 });
      const kills: string[] = [];
      while (kills.length < RANDOM_KILLS) {
        const afterMs = Math.round(random.between(0, 1200));
        const victim = random.integer(-1, SITES.length - 1);
        await sleep(afterMs);
        if ((await federation.campaign().catch(() => undefined))?.state === 'finished') break;
        kills.push(`${victim < 0 ? 'coordinator' : lightSiteName(victim)} after ${afterMs} ms`);
        if (victim < 0) {
          await federation.coordinator.stop('SIGKILL');
          federation.coordinator.spawn();
        } else {
          await federation.endAgent(victim, 'SIGKILL');
          federation.startAgain(victim);
        }
      }
      process.stderr.write(`seed ${SCHEDULE_SEED}: ${kills.join('; ')}\n`);
      await expectUndisturbed(ROUNDS);
      expect(kills).toHaveLength(RANDOM_KILLS);
    },
    LIMIT_MS,
  );
});

function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}
