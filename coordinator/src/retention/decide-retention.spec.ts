import type { RetentionRules } from '../config/retention-settings.js';
import { compileRetentionSettings } from '../config/retention-settings.js';
import { decideRetention, type RetainedRound, type RetainedUpdate, type RetentionFacts } from './decide-retention.js';

const DAY_MS = 86_400_000;
const NOW_MS = 1000 * DAY_MS;

/** Rules that keep everything but what is said. */
function rules(changes: Partial<RetentionRules> = {}): RetentionRules {
  const everything = compileRetentionSettings({
    ...{ retainUpdates: 'all', retainUpdateRounds: 0, retainHeldBack: 'all', retainVersions: 'all', retainVersionEvery: 0 },
  });
  return { ...everything, ...changes };
}

/** A round that finished so many days ago; round n starts from version n. */
function round(number: number, daysAgo: number, changes: Partial<RetainedRound> = {}): RetainedRound {
  const ended = { state: 'finished' as const, finishedAtMs: NOW_MS - daysAgo * DAY_MS };
  return { id: `round-${number}`, number, part: 'all', baseVersion: number, ...ended, ...changes };
}

function update(roundNumber: number, changes: Partial<RetainedUpdate> = {}): RetainedUpdate {
  const id = `round-${roundNumber}`;
  const made = { participationId: `part-${roundNumber}`, roundId: id, foldRoundId: id, state: 'accepted' as const };
  return { ...made, acceptedAtMs: 0, decidedAtMs: null, ...changes };
}

/** A running campaign of three finished rounds, 30, 20 and 10 days ago. */
function facts(changes: Partial<RetentionFacts> = {}): RetentionFacts {
  const rounds = [round(1, 30), round(2, 20), round(3, 10)];
  const versions = [1, 2, 3, 4].map((number) => ({ number, roundId: number === 1 ? null : `round-${number - 1}`, pin: null }));
  const updates = [update(1), update(2), update(3)];
  const campaign = { state: 'active' as const, finishedAtMs: null, roundsAtWork: new Set<string>() };
  return { ...campaign, rounds, versions, updates, newestVersion: 4, ...changes };
}

const partsThatGo = (...call: Parameters<typeof decideRetention>): string[] =>
  decideRetention(...call).updates.map(({ participationId }) => participationId);
const versionsThatGo = (some: RetentionFacts, changes: Partial<RetentionRules>): readonly number[] =>
  decideRetention(some, rules(changes), NOW_MS).versions;

describe('decideRetention', () => {
  it('lets nothing go where everything is to be kept', () => {
    expect(decideRetention(facts(), rules(), NOW_MS)).toEqual({ updates: [], versions: [] });
  });

  describe('of updates', () => {
    it('lets those go whose round ended so long ago, to the millisecond', () => {
      const keep = rules({ updatesMs: 20 * DAY_MS });
      expect(partsThatGo(facts(), keep, NOW_MS)).toEqual(['part-1', 'part-2']);
      expect(partsThatGo(facts(), keep, NOW_MS - 1)).toEqual(['part-1']);
    });

    it('keeps those of the newest finished rounds whatever their age', () => {
      expect(partsThatGo(facts(), rules({ updatesMs: 0, updateRounds: 2 }), NOW_MS)).toEqual(['part-1']);
      const open = facts({ rounds: [...facts().rounds, round(4, 0, { state: 'training', finishedAtMs: null })] });
      expect(partsThatGo(open, rules({ updatesMs: 0, updateRounds: 1 }), NOW_MS)).toEqual(['part-1', 'part-2']);
    });

    it.each([
      ['counts in an open round', { foldRoundId: 'round-4' }],
      ['waits for a round', { foldRoundId: null }],
      ['was released and waits', { foldRoundId: null, state: 'released' as const }],
      ['counted in a round that failed', { foldRoundId: 'round-5' }],
    ])('keeps one that %s, until the campaign has ended for good', (_, changes) => {
      const open = round(4, 0, { state: 'aggregating', finishedAtMs: null });
      const failed = round(5, 100, { state: 'failed' });
      const some = facts({ rounds: [...facts().rounds, open, failed], updates: [update(1, changes)] });
      const at = rules({ updatesMs: 5 * DAY_MS });
      expect(partsThatGo(some, at, NOW_MS)).toEqual([]);
      expect(partsThatGo({ ...some, state: 'paused' }, at, NOW_MS)).toEqual([]);
      expect(partsThatGo({ ...some, state: 'failed', finishedAtMs: 1 }, at, NOW_MS)).toEqual([]);
      const ended = { ...some, state: 'cancelled' as const, finishedAtMs: NOW_MS - 5 * DAY_MS };
      expect(partsThatGo(ended, at, NOW_MS - 1)).toEqual([]);
      expect(partsThatGo(ended, at, NOW_MS)).toEqual(['part-1']);
    });

    it('has a number of its own for those that were held back, from the end of the round or the decision on', () => {
      const held = facts({
        updates: [
          update(1, { state: 'quarantined', foldRoundId: null }),
          update(2, { state: 'discarded', foldRoundId: null, decidedAtMs: NOW_MS - DAY_MS }),
          update(2, { participationId: 'released', state: 'released' }),
        ],
      });
      expect(partsThatGo(held, rules({ updatesMs: 0 }), NOW_MS)).toEqual(['released']);
      const decision = decideRetention(held, rules({ heldBackMs: 30 * DAY_MS }), NOW_MS);
      expect(decision.updates).toEqual([{ participationId: 'part-1', kind: 'held-back' }]);
      expect(partsThatGo(held, rules({ heldBackMs: DAY_MS }), NOW_MS)).toEqual(['part-1', 'part-2']);
    });

    it('keeps a held-back one of a round under way', () => {
      const rounds = [round(1, 0, { state: 'training', finishedAtMs: null })];
      const some = facts({ rounds, updates: [update(1, { state: 'quarantined', foldRoundId: null })] });
      expect(partsThatGo(some, rules({ heldBackMs: 0 }), NOW_MS)).toEqual([]);
    });
  });

  describe('of versions', () => {
    it('keeps the newest, those of each so many-th round, and pinned ones', () => {
      expect(versionsThatGo(facts(), { versions: 2 })).toEqual([1, 2]);
      expect(versionsThatGo(facts(), { versions: 1, versionEvery: 2 })).toEqual([1, 2]);
      const pinned = facts().versions.map((version) => (version.number === 1 ? { ...version, pin: 'start' } : version));
      expect(versionsThatGo(facts({ versions: pinned }), { versions: 1 })).toEqual([2, 3]);
    });

    it('keeps the newest one of a campaign of any state', () => {
      for (const state of ['active', 'paused', 'scoring', 'failed', 'finished', 'cancelled'] as const)
        expect(versionsThatGo(facts({ state, finishedAtMs: 1 }), { versions: 1 })).toEqual([1, 2, 3]);
    });

    it('keeps the base of an open round, and of sites that are still at work for an earlier one', () => {
      const open = round(5, 0, { state: 'training', finishedAtMs: null, baseVersion: 3 });
      const some = facts({ rounds: [...facts().rounds, open], roundsAtWork: new Set(['round-1']) });
      expect(versionsThatGo(some, { versions: 1 })).toEqual([2]);
      expect(versionsThatGo({ ...some, state: 'failed' }, { versions: 1 })).toEqual([2]);
      expect(versionsThatGo({ ...some, state: 'finished', finishedAtMs: 1 }, { versions: 1 })).toEqual([1, 2, 3]);
    });

    it('keeps the version whose state the next round of each part takes up', () => {
      // Round 1 moved the representation, 2 and 3 the adversary: round 4 takes up what round 1 left.
      const rounds = facts().rounds.map((one) => ({
        ...one,
        part: one.number === 1 ? ('representation' as const) : ('adversary' as const),
      }));
      expect(versionsThatGo(facts({ rounds }), { versions: 1 })).toEqual([1, 3]);
    });
  });
});
