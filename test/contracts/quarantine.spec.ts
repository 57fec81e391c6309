import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfBytes, FederationError } from '@consilium/shared/kernel';
import { initialWeights } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { type CampaignView, type UpdateOffer, type UpdateView, updateViewSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import type { BlobStore } from '../../coordinator/src/blobs/blob-store.js';
import { blobPath, enrolSites, MODEL, moved, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';
import {
  askOperator,
  campaignView,
  constantUpdate,
  encodeWeights,
  eventually,
  offerOf,
  type RawSite,
} from '../fixtures/raw-site.js';

const weights = initialWeights(MODEL, 1);
const [first, ...others] = weights as [(typeof weights)[0], ...typeof weights];
const good = constantUpdate(MODEL, 0.5);
const withFirst = (values: Float32Array): Uint8Array => encodeWeights([{ ...first, values }, ...others]);

interface BadUpdate {
  readonly bytes?: Uint8Array;
  readonly offer?: Partial<UpdateOffer>;
  readonly code: string;
  readonly words: RegExp;
}

const report = offerOf({ participationId: '', plan: { base: {} } } as never, '', good, 10).report;
const BAD_UPDATES: Record<string, BadUpdate> = {
  'a NaN in one tensor': {
    bytes: withFirst(first.values.map((value, i) => (i === 5 ? Number.NaN : value))),
    code: 'UPDATE_NOT_FINITE',
    words: /NaN or an infinity in e1\.0\.weight/,
  },
  'an infinity in one tensor': {
    bytes: withFirst(first.values.map((value, i) => (i === 0 ? Number.NEGATIVE_INFINITY : value))),
    code: 'UPDATE_NOT_FINITE',
    words: /NaN or an infinity in e1\.0\.weight/,
  },
  'a NaN in its metrics only': {
    offer: { report: { ...report, meanLoss: Number.NaN } },
    code: 'UPDATE_REPORT_INVALID',
    words: /no sound number as meanLoss/,
  },
  'a wrong shape': {
    bytes: encodeWeights([{ ...first, shape: [first.values.length] }, ...others]),
    code: 'MANIFEST_MISMATCH',
    words: /e1\.0\.weight with shape/,
  },
  'a tensor missing': { bytes: encodeWeights(others), code: 'MANIFEST_MISMATCH', words: /lacks the tensor e1\.0\.weight/ },
  'a wrong name': {
    bytes: encodeWeights([...weights, { name: 'patients', shape: [1], values: new Float32Array(1) }]),
    code: 'MANIFEST_MISMATCH',
    words: /unexpected tensor patients/,
  },
  'bytes that are no weight file': {
    bytes: good.subarray(0, good.length - 4),
    code: 'WEIGHTS_MALFORMED',
    words: /its header implies/,
  },
  'a base of another campaign': {
    offer: { baseDigest: digestOfBytes('another version') },
    code: 'UPDATE_BASE_STALE',
    words: /starts from another version/,
  },
};

describeOnEachDatabase('an update that is held back', (newDatabase) => {
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open({ database: await newDatabase() });
  });

  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  async function start(names: string[], overrides: Record<string, unknown>): Promise<RawSite[]> {
    sites.push(...(await enrolSites(coordinator, ...names)));
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', overrides));
    return sites;
  }

  const updates = async (query = ''): Promise<UpdateView[]> =>
    z.array(updateViewSchema).parse(await askOperator(coordinator, 'GET', `/api/updates?${query}`));
  const updateOf = async (siteName: string): Promise<UpdateView> => {
    const found = (await updates()).find((update) => update.siteName === siteName);
    if (found === undefined) throw new Error(`no update of ${siteName}`);
    return found;
  };
  const decide = async (update: UpdateView, verb: string, body: unknown = { operator: 'dr-weber' }): Promise<UpdateView> =>
    updateViewSchema.parse(await askOperator(coordinator, 'POST', `/api/updates/${update.participationId}/${verb}`, body));
  const finished = (rounds: number): Promise<CampaignView> =>
    eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.finishedRounds === rounds ? now : undefined;
    });
  const states = (view: CampaignView, round = 0): unknown[] | undefined =>
    view.roundViews[round]?.participations.map(({ siteName, state, code }) => [siteName, state, code]);
  const valuesOf = async (digest: string): Promise<number[][]> =>
    (await readSafetensors(blobPath(coordinator, digest))).weights.map(({ values }) => [...values]);
  /** Each site delivers a constant delta for the round, one after the other. */
  const deliver = async (round: number, deltas: Record<string, number>): Promise<void> => {
    for (const [name, delta] of Object.entries(deltas)) {
      const site = sites.find((candidate) => candidate.name === name);
      if (site === undefined) throw new Error(`no site ${name}`);
      const answer = await site.deliver(await site.trainAssignment(round), constantUpdate(MODEL, delta), 10);
      expect(answer).toMatchObject({ ok: true });
    }
  };
  const start64 = initialWeights(MODEL, 7);

  describe.each(Object.entries(BAD_UPDATES))('for %s', (_what, { bytes = good, offer = {}, code, words }) => {
    it('is named and kept, and the round goes on', async () => {
      const [bad, fine] = (await start(['bad', 'fine'], { rounds: 1, quorum: 1 })) as [RawSite, RawSite];
      const assignment = await bad.trainAssignment(1);
      const refusal = await bad.deliver(assignment, bytes, 10, offer);
      expect(refusal).toMatchObject({ ok: false, error: { code, retryable: false } });
      // Asking again, for example because the answer was lost, gives the same answer; the site has no more to do.
      const again = { ...offerOf(assignment, 'gone', bytes, 10), ...offer };
      expect(await bad.offer(again)).toMatchObject({ ok: false, error: { code } });
      expect(await bad.sync()).toBeNull();

      expect(await fine.deliver(await fine.trainAssignment(1), good, 10)).toMatchObject({ ok: true });
      const view = await finished(1);
      expect(states(view)).toEqual([
        ['bad', 'quarantined', code],
        ['fine', 'delivered', null],
      ]);
      expect(await valuesOf(view.version.digest)).toEqual(moved(start64, 0.5));

      const held = await updateOf('bad');
      expect(held).toMatchObject({ state: 'quarantined', code, countsInRound: null, bytes: bytes.length });
      expect(held.reason).toMatch(words);
      expect(existsSync(blobPath(coordinator, digestOfBytes(bytes)))).toBe(true);
      expect(await readdir(join(coordinator.home, 'uploads'))).toEqual([]);
      await expect(decide(held, 'release')).rejects.toThrow('UPDATE_NOT_RELEASABLE');
      expect(await updates('state=quarantined&campaign=lungs')).toEqual([held]);
    });
  });

  it('stays so over a restart, and its site is told the same', async () => {
    const [bad] = (await start(['bad', 'fine'], { rounds: 1, quorum: 1 })) as [RawSite];
    const assignment = await bad.trainAssignment(1);
    const holed = BAD_UPDATES['a NaN in one tensor']?.bytes ?? good;
    await bad.deliver(assignment, holed, 10);
    const before = await updates();
    await coordinator.stop();
    await coordinator.start();
    await bad.connect();
    expect(await bad.offer(offerOf(assignment, 'gone', holed, 10))).toMatchObject({
      ok: false,
      error: { code: 'UPDATE_NOT_FINITE' },
    });
    expect(await updates()).toEqual(before);
  });

  it('is no upload that was damaged on its way: that is dropped, and may be sent anew', async () => {
    const [site] = (await start(['fine'], { rounds: 1, quorum: 1 })) as [RawSite];
    const assignment = await site.trainAssignment(1);
    const damaged = Buffer.from(good);
    damaged[good.length - 3] = 1 + (damaged.at(-3) ?? 0);
    const answer = await site.deliver(assignment, damaged, 10, { digest: digestOfBytes(good) });
    expect(answer).toMatchObject({ ok: false, error: { code: 'DIGEST_MISMATCH' } });
    expect(await readdir(join(coordinator.home, 'uploads'))).toEqual([]);
    expect(await updates()).toEqual([]);
    expect(await site.deliver(await site.trainAssignment(1), good, 10)).toMatchObject({ ok: true });
    expect(states(await finished(1))).toEqual([['fine', 'delivered', null]]);
  });

  it('for a norm ten times that of the others is named and kept, and the round goes on', async () => {
    await start(['a', 'b', 'c', 'far'], { rounds: 1, quorum: 3 });
    await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
    const view = await finished(1);
    expect(states(view)?.at(-1)).toEqual(['far', 'quarantined', 'UPDATE_NORM_FAR']);
    expect(await valuesOf(view.version.digest)).toEqual(moved(start64, 0.125));
    const held = await updateOf('far');
    expect(held).toMatchObject({ state: 'quarantined', code: 'UPDATE_NORM_FAR', countsInRound: null });
    expect(held.reason).toMatch(/^its norm [\d.]+ is 10 times the median of the round's others$/);
    expect(existsSync(blobPath(coordinator, held.digest))).toBe(true);
    expect(await updates('state=accepted')).toHaveLength(3);
  });

  it('for a direction that opposes the others is named and kept, and the round goes on', async () => {
    await start(['a', 'b', 'c', 'far'], { rounds: 1, quorum: 3 });
    await deliver(1, { a: 0.125, far: -0.125, b: 0.125, c: 0.125 });
    const view = await finished(1);
    expect(states(view)?.at(-1)).toEqual(['far', 'quarantined', 'UPDATE_DIRECTION_FAR']);
    expect(await valuesOf(view.version.digest)).toEqual(moved(start64, 0.125));
  });

  it('for its norm is found in a small round by the updates of earlier rounds', async () => {
    await start(['a'], { rounds: 4, quorum: 1 });
    for (const round of [1, 2, 3]) await deliver(round, { a: 0.125 });
    await deliver(4, { a: 1.25 });
    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.state === 'failed' ? now : undefined;
    });
    expect([view.code, states(view, 3)]).toEqual(['QUORUM_MISSED', [['a', 'quarantined', 'UPDATE_NORM_FAR']]]);
  });

  describe('and the round lacks its quorum without it', () => {
    const GRACE = { grace: '1ms', quorum: 4 };
    const heldBack = (): Promise<UpdateView> =>
      eventually(async () => (await updates('state=quarantined')).find(({ siteName }) => siteName === 'far'));

    it('waits for the other sites', async () => {
      await start(['a', 'b', 'c', 'far', 'slow'], { rounds: 1, ...GRACE });
      await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
      await heldBack();
      await deliver(1, { slow: 0.125 });
      const view = await finished(1);
      expect(await valuesOf(view.version.digest)).toEqual(moved(start64, 0.125));
    });

    it('counts in that round when a named operator releases it, exactly once', async () => {
      await start(['a', 'b', 'c', 'far', 'slow'], { rounds: 2, ...GRACE });
      await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
      const held = await heldBack();
      const released = await decide(held, 'release', { operator: 'dr-weber', reason: 'a new scanner' });
      const decision = { state: 'released', decidedBy: 'dr-weber', decidedWhy: 'a new scanner', countsInRound: 1 };
      expect(released).toMatchObject({ ...decision, code: 'UPDATE_NORM_FAR' });
      // Releasing again is harmless, and whoever was first stays named.
      expect(await decide(held, 'release', { operator: 'someone-else' })).toMatchObject(decision);
      await expect(decide(held, 'discard')).rejects.toThrow('UPDATE_NOT_RELEASABLE');

      const afterOne = await finished(1);
      expect(states(afterOne)?.[3]).toEqual(['far', 'delivered', null]);
      const moveOfOne = (3 * 0.125 + 1.25) / 4;
      const one = await valuesOf(afterOne.version.digest);
      expect(one).toEqual(moved(start64, moveOfOne));

      await deliver(2, { a: 0.5, b: 0.5, c: 0.5, slow: 0.5 });
      const afterTwo = await finished(2);
      expect(await valuesOf(afterTwo.version.digest)).toEqual(
        one.map((values) => values.map((value) => Math.fround(value + 0.5))),
      );
      expect(await updateOf('far')).toMatchObject(decision);
    });
  });

  it('counts in the next round when it is released between rounds', async () => {
    await start(['a', 'b', 'c', 'far'], { rounds: 2, quorum: 3 });
    await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
    const afterOne = await finished(1);
    await sites[0]?.trainAssignment(2);
    expect(await decide(await updateOf('far'), 'release')).toMatchObject({ state: 'released', countsInRound: 2, roundNumber: 1 });
    await deliver(2, { a: 0.25, b: 0.25, c: 0.25, far: 0.25 });
    const afterTwo = await finished(2);
    const one = await valuesOf(afterOne.version.digest);
    const move = (4 * 0.25 + 1.25) / 5;
    expect(await valuesOf(afterTwo.version.digest)).toEqual(
      one.map((values) => values.map((value) => Math.fround(value + move))),
    );
    // Its own part in round 1 stays what it was.
    expect(states(afterTwo)?.at(-1)).toEqual(['far', 'quarantined', 'UPDATE_NORM_FAR']);
  });

  it('for a base that is an earlier version of the campaign can be released', async () => {
    const [, late] = (await start(['a', 'late'], { rounds: 2, quorum: 1, grace: '1ms' })) as [RawSite, RawSite];
    const { base } = (await late.trainAssignment(1)).plan;
    await deliver(1, { a: 0.125 });
    await finished(1);
    const answer = await late.deliver(await late.trainAssignment(2), constantUpdate(MODEL, 0.25), 10, {
      baseDigest: base.digest,
    });
    expect(answer).toMatchObject({ ok: false, error: { code: 'UPDATE_BASE_STALE' } });
    const held = await updateOf('late');
    expect(held).toMatchObject({ code: 'UPDATE_BASE_STALE', roundNumber: 2, baseVersion: 1 });
    expect(await decide(held, 'release')).toMatchObject({ state: 'released', countsInRound: 2 });
    await finished(2);
    expect(await updateOf('late')).toMatchObject({ state: 'released', countsInRound: 2 });
  });

  it('is discarded for good by a named operator', async () => {
    await start(['a', 'b', 'c', 'far'], { rounds: 2, quorum: 3 });
    await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
    await finished(1);
    const held = await updateOf('far');
    await expect(decide(held, 'discard', {})).rejects.toThrow('ARGUMENT_INVALID');
    expect(await decide(held, 'discard')).toMatchObject({ state: 'discarded', decidedBy: 'dr-weber' });
    expect(await decide(held, 'discard', { operator: 'someone-else' })).toMatchObject({ decidedBy: 'dr-weber' });
    await expect(decide(held, 'release')).rejects.toThrow('dr-weber has discarded it');
    await expect(decide(await updateOf('a'), 'release')).rejects.toThrow('it is not held back');
    await expect(decide({ ...held, participationId: 'part_unknown' }, 'release')).rejects.toThrow('NOT_FOUND');
  });

  it('cannot be released once the campaign has no round left, nor by who is no operator', async () => {
    await start(['a', 'b', 'c', 'far'], { rounds: 1, quorum: 3 });
    await deliver(1, { far: 1.25, a: 0.125, b: 0.125, c: 0.125 });
    await finished(1);
    const held = await updateOf('far');
    await expect(decide(held, 'release')).rejects.toThrow('no round left in which it could count');
    const stranger = { url: coordinator.url, operatorToken: 'wrong' };
    const path = `/api/updates/${held.participationId}/release`;
    await expect(askOperator(stranger, 'POST', path, { operator: 'x' })).rejects.toThrow('OPERATOR_REFUSED');
    await expect(askOperator(coordinator, 'GET', '/api/updates?state=lost')).rejects.toThrow('ARGUMENT_INVALID');
  });
});

describe('an update whose taking was cut short between its bytes and its fact', () => {
  it.each([
    ['a good one', good, { ok: true, value: { outcome: 'accepted' } }],
    ['a bad one', BAD_UPDATES['a tensor missing']?.bytes ?? good, { ok: false, error: { code: 'MANIFEST_MISMATCH' } }],
  ])('is offered again and counted once: %s', async (_what, bytes, answer) => {
    let isCut = true;
    const cutOnce = (store: BlobStore): BlobStore => ({
      write: (parts, algorithm) => store.write(parts, algorithm),
      place: (path, digest) => store.place(path, digest),
      remove: (digest) => store.remove(digest),
      has: (digest) => store.has(digest),
      localPath: (digest) => store.localPath(digest),
      adopt: async (path, digest) => {
        await store.adopt(path, digest);
        if (isCut && digest === digestOfBytes(bytes)) throw new FederationError('STORAGE_FAILED', 'cut short');
      },
    });
    const coordinator = await TestCoordinator.open({ blobs: cutOnce });
    const [site] = (await enrolSites(coordinator, 'site')) as [RawSite];
    try {
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
      const assignment = await site.trainAssignment(1);
      const offer = offerOf(assignment, await site.upload(assignment.participationId, bytes), bytes, 10);
      expect(await site.offer(offer)).toMatchObject({ ok: false, error: { code: 'STORAGE_FAILED', retryable: true } });
      expect(await askOperator(coordinator, 'GET', '/api/updates')).toEqual([]);
      isCut = false;
      expect(await site.offer(offer)).toMatchObject(answer);
      expect(await askOperator(coordinator, 'GET', '/api/updates')).toHaveLength(1);
      expect(await readdir(join(coordinator.home, 'uploads'))).toEqual([]);
    } finally {
      site.disconnect();
      await coordinator.remove();
    }
  });
});
