import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { digestOfBytes } from '@consilium/shared/kernel';
import { CENTRAL, LOCAL, privatePlan } from '../../../test/fixtures/make-privacy.js';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { AgentJournal } from './agent-journal.js';
import { notePrivacy } from './note-privacy.js';
import { summarisePrivacy } from './privacy-summary.js';

const [one, other] = [digestOfBytes('one'), digestOfBytes('other')];
const clock = { nowMs: () => 12.5 };

describe('the ledger of a site’s privacy', () => {
  let folder: string;
  let file: string;
  let journal: AgentJournal;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ledger-'));
    file = join(folder, 'site.sqlite');
    journal = AgentJournal.open(file);
  });
  afterEach(async () => {
    journal.close();
    await rm(folder, { recursive: true });
  });

  it('counts an update once, however often it is noted and whenever the agent starts again', () => {
    const plan = privatePlan(LOCAL);
    for (let again = 0; again < 3; again++) {
      journal.privacy.spend('part_1', plan, one, clock.nowMs());
      journal.close();
      journal = AgentJournal.open(file);
    }
    const noted = {
      participationId: 'part_1',
      updateDigest: one,
      campaignId: 'campaign_1',
      campaignName: 'tiny',
      roundNumber: 1,
    };
    expect(journal.privacy.records()).toEqual([
      { ...noted, form: 'local', clipNorm: 0.5, noiseMultiplier: 4, delta: 1e-5, atMs: 13 },
    ]);
    journal.privacy.spend('part_1', plan, other, 1); // other bytes are another release
    journal.privacy.spend('part_2', privatePlan(CENTRAL), one, 1);
    expect(journal.privacy.records().map(({ participationId, updateDigest }) => [participationId, updateDigest])).toEqual([
      ['part_1', one],
      ['part_1', other],
      ['part_2', one],
    ]);
  });

  it('outlives its participation, and cannot be shortened or changed, by no program that opens the file', () => {
    const plan = privatePlan(LOCAL);
    journal.invite('part_1', plan, digestOfBytes('plan'));
    journal.privacy.spend('part_1', plan, one, 1);
    journal.closeParticipation('part_1');
    const database = new Database(file);
    expect(() => database.exec('DELETE FROM privacy_spend')).toThrow(/never forgotten/);
    expect(() => database.exec('UPDATE privacy_spend SET noise_multiplier = 1000')).toThrow(/never changes/);
    database.close();
    expect(journal.privacy.records()).toHaveLength(1);
  });

  it('notes nothing without privacy, and refuses a second, other update of a round that would go over the limit', () => {
    const limits = { epsilon: 3, delta: 1e-5 };
    const note = (digest: typeof one, plan = privatePlan(LOCAL)): void =>
      notePrivacy({ clock, journal }, { participationId: 'part_1', plan }, digest, limits);
    note(one);
    note(one);
    expect(journal.privacy.records()).toHaveLength(1);
    const refusal = refusalOf(() => note(other));
    expect(refusal.code).toBe('PRIVACY_BUDGET_SPENT');
    expect(journal.privacy.records()).toHaveLength(1);
    note(other, privatePlan(undefined));
    expect(journal.privacy.records()).toHaveLength(1);
  });

  it('is shown by campaign, with what is left of each limit', () => {
    for (let round = 1; round <= 3; round++) {
      journal.privacy.spend(`a_${round}`, privatePlan(LOCAL, { roundNumber: round }), digestOfBytes(`a${round}`), round);
    }
    journal.privacy.spend('b_1', privatePlan(CENTRAL, { campaignId: 'campaign_2', campaignName: 'other' }), one, 9);
    const limits = { epsilon: 8, totalEpsilon: 12, delta: 1e-5 };
    const summary = summarisePrivacy(journal.privacy.records(), limits);
    // From dp-accounting (test/fixtures/privacy-goldens): one release with multiplier 2 costs 2.166.
    expect(summary.campaigns.map(({ campaignName, releases, neighbours }) => [campaignName, releases, neighbours])).toEqual([
      ['tiny', 3, 'replaced'],
      ['other', 1, 'zeroed'],
    ]);
    expect(summary.campaigns[1]?.epsilon).toBeCloseTo(2.165715659029443, 9);
    expect(summary.campaigns[1]?.epsilonLeft).toBeCloseTo(8 - 2.165715659029443, 9);
    expect(summary.total.epsilon).toBeGreaterThan(summary.campaigns[0]?.epsilon ?? Infinity);
    const left = summary.campaigns[0]?.roundsLeft ?? NaN;
    expect(left).toBeGreaterThan(0);
    for (let round = 4; round < 4 + left; round++) {
      notePrivacy({ clock, journal }, { participationId: `a_${round}`, plan: privatePlan(LOCAL) }, one, limits);
    }
    const more = (): void => notePrivacy({ clock, journal }, { participationId: 'more', plan: privatePlan(LOCAL) }, one, limits);
    expect(refusalOf(more).code).toBe('PRIVACY_BUDGET_SPENT');
    expect(summarisePrivacy([], { delta: 1e-5 })).toMatchObject({ campaigns: [], total: { epsilon: 0, epsilonLeft: null } });
  });
});
