import { setTimeout as sleep } from 'node:timers/promises';
import { lightSiteName } from '../../deploy/src/simulate/enrol-light-site.js';
import { modelOfSize } from '../../deploy/src/simulate/model-of-size.js';
import { fetchStatus } from '../../site-agent/src/agent/status-page.js';
import { siteFolder } from '../../site-agent/src/config/site-folder.js';
import { fresh, isAverageOf } from './averaged-by-hand.js';
import { atEvent } from './kill-moments.js';
import { deliveredIn, LightFederation, namesOf } from './light-federation.js';

const LIMIT_MS = 400_000;

/** Links that die are noticed soon, and nobody is waited for who is not there. */
const SHORT_WAITS = { heartbeatInterval: '2s', heartbeatTimeout: '3s', scoringPresence: '1s' };

/** More than the first request of an upload carries. */
const LARGER_MODEL = modelOfSize(5_000_000);
/** What may be lost in the buffers of one connection: a quarter of a request, and a third of what beginning anew would cost. */
const LOST_AT_MOST = 2 * 1024 ** 2;

let federation: LightFederation;
afterEach(() => federation.close());

describe('a site twenty times slower than the others', () => {
  const SLOW = 3;
  const trainingMs = (index: number, usualMs: number): number => (index === SLOW ? 20 * usualMs : usualMs);

  it(
    'does not hold a round up: quorum and grace close it, its late work is dropped, nobody aborts',
    async () => {
      federation = await LightFederation.open({ sites: 4 });
      await federation.startSites([0, 1, 2, SLOW].map((index) => ({ index, trainingMs: trainingMs(index, 400) })));
      await federation.start({ rounds: 2, quorum: 3, grace: '300ms' });
      const view = await federation.finished();
      expect(deliveredIn(view)).toEqual([namesOf(0, 1, 2), namesOf(0, 1, 2)]);
      for (const { participations } of view.roundViews) {
        expect(participations.map(({ state, code }) => [state, code])).toEqual([
          ...Array.from({ length: 3 }, () => ['delivered', null]),
          ['late', 'ROUND_CLOSED'],
        ]);
      }
      expect(await isAverageOf(federation, view, [fresh(1, [0, 1, 2]), fresh(2, [0, 1, 2])])).toBe(true);
      expect(federation.logOf(0)).toContain('round 1 is over: its work here is dropped');
    },
    LIMIT_MS,
  );

  it(
    'counts in a later round with the recipe fedbuff, with the weight of its age',
    async () => {
      federation = await LightFederation.open({ sites: 3 });
      const [first, second] = [1, 2].map((index) => ({ index, trainingMs: 300 }));
      if (first === undefined || second === undefined) throw new Error('there are two');
      await federation.startSites([first, second, { index: 0, trainingMs: 20 * 100 }]);
      await federation.start({ rounds: 8, quorum: 2, recipe: { name: 'fedbuff' } });
      const view = await federation.finished();
      const updates = await federation.updates();
      const slow = updates.find(({ siteName, roundNumber }) => siteName === lightSiteName(0) && roundNumber === 1);
      expect(slow?.countsInRound).toBeGreaterThan(1);
      const rounds = view.roundViews.map(({ number }) =>
        updates
          .filter(({ countsInRound }) => countsInRound === number)
          .map(({ siteName, baseVersion }) => ({ site: Number(siteName.split('-')[1]), base: baseVersion })),
      );
      for (const counted of rounds) expect(counted.length).toBeGreaterThanOrEqual(2);
      expect(await isAverageOf(federation, view, rounds)).toBe(true);
    },
    LIMIT_MS,
  );
});

describe('a cut of the link', () => {
  const SITE = 1;

  it(
    'during training loses no step: the site trains on and delivers',
    async () => {
      federation = await LightFederation.open({ sites: 2 });
      await federation.startSites([{ index: 0 }]);
      await federation.startSites([{ index: SITE, trainingMs: 4000 }]);
      await federation.start({ rounds: 1, quorum: 2 });
      await federation.heard({ kind: 'participation', state: 'training', siteName: lightSiteName(SITE) });
      federation.relayOf(SITE).become('cut');
      const steps = await stepsWhileAway(SITE, 1500);
      federation.relayOf(SITE).become('open');
      expect(steps.length).toBeGreaterThan(2);
      expect(steps).toEqual([...steps].sort((a, b) => a - b));
      expect(steps.at(-1)).toBeGreaterThan(steps[0] as number);
      const view = await federation.finished();
      expect(await isAverageOf(federation, view, [fresh(1, [0, SITE])])).toBe(true);
      expect([...federation.logOf(SITE).matchAll(/training \d+ steps/g)]).toHaveLength(1);
    },
    LIMIT_MS,
  );

  /** Steps that the site's own page tells while it is without a coordinator. */
  async function stepsWhileAway(index: number, forMs: number): Promise<number[]> {
    const steps: number[] = [];
    for (const endMs = Date.now() + forMs; Date.now() < endMs; await sleep(100)) {
      const status = await fetchStatus(siteFolder(federation.homeOf(index)));
      if (status?.phase === 'training' && status.connection !== 'connected') steps.push(status.step);
    }
    return steps;
  }

  it(
    'during an upload, twice, sends nothing again but what was lost on the line',
    async () => {
      federation = await LightFederation.open({ sites: 1 });
      await federation.startSites([{ index: 0 }]);
      const relay = federation.relayOf(0);
      const before = relay.bytesUp;
      const cutsAt = [0.3, 0.7].map((share) => before + share * 4 * LARGER_MODEL.parameters);
      relay.onUp = () => {
        if (relay.bytesUp < (cutsAt[0] ?? Infinity)) return;
        cutsAt.shift();
        relay.become('cut');
        setTimeout(() => relay.become('open'), 200);
      };
      await federation.start({ model: LARGER_MODEL.spec, rounds: 1, quorum: 1 });
      const view = await federation.finished();
      expect(cutsAt).toEqual([]);
      const [update] = await federation.updates();
      const sentTwice = relay.bytesUp - before - (update?.bytes ?? 0);
      process.stderr.write(`two cuts of an upload of ${update?.bytes} bytes: ${sentTwice} bytes more than the file\n`);
      expect(sentTwice).toBeLessThan(2 * LOST_AT_MOST);
      expect(await isAverageOf(federation, view, [fresh(1, [0])])).toBe(true);
    },
    LIMIT_MS,
  );
});

describe('a site that does not answer', () => {
  it(
    'one of eight whose connections are reset at its start: the round ends without it, and it joins when they hold',
    async () => {
      federation = await LightFederation.open({ sites: 8, settings: SHORT_WAITS });
      const RESET = 7;
      const relay = federation.relayOf(RESET);
      let isReset = true;
      let resets = 0;
      // The connection stands, the first bytes of the greeting pass, and it is gone.
      relay.onUp = () => {
        if (!isReset) return;
        resets++;
        relay.become('cut');
        relay.become('open');
      };
      const others = Array.from({ length: RESET }, (_, index) => index);
      const starting = federation.startSites([{ index: RESET }]);
      await federation.startSites(others.map((index) => ({ index })));
      await federation.until('resets', async () => resets >= 2);
      await federation.start({ rounds: 1, quorum: RESET, grace: '500ms' });
      const without = await federation.finished();
      expect(without.roundViews[0]?.participations.map(({ state }) => state)).toEqual([...others.map(() => 'delivered'), 'late']);

      isReset = false;
      await starting;
      await federation.start({ name: 'again', rounds: 1, quorum: RESET + 1 });
      expect(deliveredIn(await federation.finished('again'))).toEqual([namesOf(...others, RESET)]);
    },
    LIMIT_MS,
  );

  it(
    'silent after it accepted: quorum and grace close the round without it, and it is back in the next',
    async () => {
      federation = await LightFederation.open({ sites: 3, settings: SHORT_WAITS });
      await federation.startSites([0, 1, 2].map((index) => ({ index, trainingMs: 500 })));
      const relay = federation.relayOf(2);
      const accepted = { kind: 'participation', state: 'accepted', siteName: lightSiteName(2) };
      const silence = atEvent(federation, accepted, () => relay.become('silent'));
      await federation.start({ rounds: 1, quorum: 2, grace: '2s' });
      await silence;
      const view = await federation.finished();
      expect(view.roundViews[0]?.participations.map(({ state }) => state)).toEqual(['delivered', 'delivered', 'late']);
      expect(await isAverageOf(federation, view, [fresh(1, [0, 1])])).toBe(true);

      relay.become('open');
      await federation.start({ name: 'again', rounds: 1, quorum: 3 });
      expect(deliveredIn(await federation.finished('again'))).toEqual([namesOf(0, 1, 2)]);
    },
    LIMIT_MS,
  );
});

it(
  'leaving after the delivery counts, leaving before does not, and whoever rejoins is the same site',
  async () => {
    const [AFTER, BEFORE] = [2, 1];
    federation = await LightFederation.open({ sites: 4, settings: SHORT_WAITS });
    await federation.startSites([0, 3].map((index) => ({ index, trainingMs: 400 })));
    for (const index of [AFTER, BEFORE]) await federation.startSites([{ index, trainingMs: 2000 }]);
    const about = (index: number, roundNumber: number, state: string) =>
      ({ kind: 'participation', siteName: lightSiteName(index), roundNumber, state }) as const;

    await federation.start({ rounds: 3, quorum: 2, grace: '5s' });
    await federation.heard(about(AFTER, 1, 'delivered'));
    await federation.endAgent(AFTER, 'SIGTERM');
    await federation.heard(about(BEFORE, 2, 'accepted'));
    await federation.endAgent(BEFORE, 'SIGTERM');
    expect([AFTER, BEFORE].map((index) => federation.agent(index).exitCode)).toEqual([0, 0]);
    await federation.control('pause');
    await federation.heard({ kind: 'round', roundNumber: 2, state: 'finished' });
    for (const index of [AFTER, BEFORE]) federation.startAgain(index);
    await federation.untilConnected([0, 1, 2, 3]);
    await federation.control('resume');

    const view = await federation.finished();
    expect(deliveredIn(view)).toEqual([namesOf(0, BEFORE, AFTER, 3), namesOf(0, 3), namesOf(0, BEFORE, AFTER, 3)]);
    expect(view.roundViews[1]?.participations.map(({ state }) => state)).toEqual(['delivered', 'late', 'late', 'delivered']);
    const membership = [fresh(1, [0, 1, 2, 3]), fresh(2, [0, 3]), fresh(3, [0, 1, 2, 3])];
    expect(await isAverageOf(federation, view, membership)).toBe(true);
    const asIfAllStayed = [1, 2, 3].map((round) => fresh(round, [0, 1, 2, 3]));
    expect(await isAverageOf(federation, view, asIfAllStayed)).toBe(false);
  },
  LIMIT_MS,
);
