import { digestOfBytes } from '@consilium/shared/kernel';
import {
  makeProbeScore,
  makeScoreAssignment,
  makeTrainAssignment,
  makeUpdateReport,
} from '../../../test/fixtures/make-assignment.js';
import type { ParticipationRecord, ReadyUpdate } from './agent-journal.js';
import { nextStep, type Situation, stepKey } from './next-step.js';

const train = makeTrainAssignment();
const score = makeScoreAssignment(3);
const update: ReadyUpdate = { path: 'update', digest: digestOfBytes('u'), bytes: 1, report: makeUpdateReport() };

function situation(changes: Partial<Situation> = {}): Situation {
  return {
    connected: true,
    rests: false,
    assignment: train,
    open: undefined,
    assignedIsClosed: false,
    score: undefined,
    scoreGivenUp: false,
    hasVersion: () => true,
    countVolumes: () => 3,
    privacyRefusal: () => undefined,
    keepsScores: false,
    judge: () => 'allowed',
    wasOffered: false,
    ...changes,
  };
}

function record(changes: Partial<ParticipationRecord> = {}): ParticipationRecord {
  return {
    participationId: train.participationId,
    phase: 'accepted',
    plan: train.plan,
    planDigest: train.planDigest,
    trainerFailures: 0,
    update: undefined,
    uploadId: undefined,
    code: undefined,
    ...changes,
  };
}

const trained = record({ phase: 'trained', update });
const uploaded = record({ phase: 'uploaded', update, uploadId: 'upload_1' });
const control = digestOfBytes('c');
const localRule = { kind: 'control-variates', control: { digest: control, bytes: 1 } } as const;
const scaffold = record({ plan: { ...train.plan, localRule } });
const known = { plan: score.plan, score: makeProbeScore(), reported: false };

describe('next step', () => {
  it.each<[string, Partial<Situation>, string]>([
    ['nothing heard yet, nothing in hand', { assignment: undefined }, 'wait'],
    ['nothing to do', { assignment: null }, 'idle'],
    ['a new invitation', {}, 'note-invitation part_1'],
    ['an invitation that is done already', { assignedIsClosed: true }, 'idle'],
    ['invited', { open: record({ phase: 'invited' }) }, 'accept part_1'],
    ['invited without a volume', { open: record({ phase: 'invited' }), countVolumes: () => 0 }, 'decline part_1'],
    ['invited against the policy', { open: record({ phase: 'invited' }), judge: () => 'refused' }, 'decline part_1'],
    ['invited, the policy unreadable', { open: record({ phase: 'invited' }), judge: () => 'unreadable' }, 'decline part_1'],
    ['accepted, refused by now', { open: record(), judge: () => 'refused' }, 'fail part_1'],
    ['accepted, refused by now, offline', { open: record(), judge: () => 'refused', connected: false }, 'rest'],
    ['accepted, the policy unreadable', { open: record(), judge: () => 'unreadable' }, 'rest'],
    ['trained, refused by now', { open: trained, judge: () => 'refused' }, 'fail part_1'],
    ['uploaded, refused before it was offered', { open: uploaded, judge: () => 'refused' }, 'fail part_1'],
    ['uploaded and offered, refused by now', { open: uploaded, judge: () => 'refused', wasOffered: true }, 'offer part_1'],
    ['sent anew after an offer, refused by now', { open: trained, judge: () => 'refused', wasOffered: true }, 'fail part_1'],
    ['failing, whatever the policy', { open: record({ phase: 'failing' }), judge: () => 'unreadable' }, 'fail part_1'],
    ['a score against the policy', { assignment: score, judge: () => 'refused' }, 'idle'],
    [
      'invited beyond the budget',
      { open: record({ phase: 'invited' }), privacyRefusal: () => 'PRIVACY_BUDGET_SPENT' },
      'decline part_1',
    ],
    ['accepted, base missing', { open: record(), hasVersion: () => false }, `download ${train.plan.base.digest} part_1`],
    ['accepted, base here', { open: record() }, 'train part_1'],
    ['trained', { open: trained }, 'upload part_1'],
    ['trained, but the update is unknown', { open: record({ phase: 'trained' }) }, 'train part_1'],
    ['uploaded', { open: uploaded }, 'offer part_1'],
    ['uploaded, but the upload is unknown', { open: record({ phase: 'uploaded', update }) }, 'upload part_1'],
    ['failing', { open: record({ phase: 'failing', code: 'OUT_OF_MEMORY' }) }, 'fail part_1'],
    ['declining', { open: record({ phase: 'declining', code: 'COLLECTION_EMPTY' }) }, 'decline part_1'],
    [
      'accepted, control variates missing',
      { open: scaffold, hasVersion: (digest) => digest !== control },
      `download ${control} part_1`,
    ],
    ['accepted, base and control variates here', { open: scaffold }, 'train part_1'],
    ['the round closed, but its offer may have arrived', { assignment: null, open: uploaded }, 'offer part_1'],
    [
      'another round began, the offer may have arrived',
      { assignment: makeTrainAssignment('part_2', 2), open: uploaded },
      'offer part_1',
    ],
    [
      'the round closed before a whole upload',
      { assignment: null, open: record({ phase: 'uploaded', update }) },
      'abandon part_1',
    ],
    ['the round closed', { assignment: null, open: trained }, 'abandon part_1'],
    ['another round began', { assignment: makeTrainAssignment('part_2', 2), open: record() }, 'abandon part_1'],
    ['a score is wanted while a round is in hand', { assignment: score, open: record() }, 'abandon part_1'],
    ['score, version missing', { assignment: score, hasVersion: () => false }, `download ${score.plan.version.digest} `],
    ['score, version here', { assignment: score }, `score campaign_1 ${score.plan.version.digest}`],
    ['scored', { assignment: score, score: known }, `report-score campaign_1 ${score.plan.version.digest}`],
    ['score reported', { assignment: score, score: { ...known, reported: true } }, 'idle'],
    ['score given up', { assignment: score, scoreGivenUp: true }, 'idle'],
    ['score without a volume', { assignment: score, countVolumes: () => 0 }, 'idle'],
  ])('%s', (_name, changes, expected) => {
    expect(stepKey(nextStep(situation(changes)))).toBe(expected);
  });

  it.each<[string, Partial<Situation>, string]>([
    ['training goes on', { open: record() }, 'train part_1'],
    ['training goes on after a restart without the coordinator', { open: record(), assignment: undefined }, 'train part_1'],
    ['scoring goes on', { assignment: score }, `score campaign_1 ${score.plan.version.digest}`],
    ['accepting waits', { open: record({ phase: 'invited' }) }, 'wait'],
    ['downloading waits', { open: record(), hasVersion: () => false }, 'wait'],
    ['uploading waits', { open: trained }, 'wait'],
    ['offering waits', { open: uploaded }, 'wait'],
    ['reporting waits', { assignment: score, score: known }, 'wait'],
  ])('offline: %s', (_name, changes, expected) => {
    expect(stepKey(nextStep(situation({ connected: false, ...changes })))).toBe(expected);
  });

  it.each<[string, Partial<Situation>, string]>([
    ['invited', { open: record({ phase: 'invited' }) }, 'accept part_1'],
    ['a new invitation', {}, 'note-invitation part_1'],
    ['accepted, base missing', { open: record(), hasVersion: () => false }, `download ${train.plan.base.digest} part_1`],
    ['accepted, base here', { open: record() }, 'rest'],
    ['accepted, and the coordinator away', { open: record(), connected: false }, 'rest'],
    ['trained', { open: trained }, 'upload part_1'],
    ['trained, but the update is unknown', { open: record({ phase: 'trained' }) }, 'rest'],
    ['uploaded', { open: uploaded }, 'offer part_1'],
    ['failing', { open: record({ phase: 'failing', code: 'OUT_OF_MEMORY' }) }, 'fail part_1'],
    ['the round closed', { assignment: null, open: record() }, 'abandon part_1'],
    ['nothing to do', { assignment: null }, 'idle'],
    ['score, version missing', { assignment: score, hasVersion: () => false }, `download ${score.plan.version.digest} `],
    ['score, version here', { assignment: score }, 'rest'],
    ['scored', { assignment: score, score: known }, `report-score campaign_1 ${score.plan.version.digest}`],
  ])('outside the site’s hours: %s', (_name, changes, expected) => {
    expect(stepKey(nextStep(situation({ rests: true, ...changes })))).toBe(expected);
  });

  it('goes to a version by its delta where its parent is, and by no other way', () => {
    const [parent, delta] = [digestOfBytes('parent'), { digest: digestOfBytes('delta'), bytes: 1 }];
    const baseDelta = { ...delta, parent };
    const byDelta = record({ plan: { ...train.plan, baseDelta } });
    const scoreByDelta = { ...score, plan: { ...score.plan, baseDelta } };
    for (const way of [{ open: byDelta }, { assignment: scoreByDelta }]) {
      const withParent = nextStep(situation({ ...way, hasVersion: (digest) => digest === parent }));
      expect(withParent).toMatchObject({ kind: 'download', delta: baseDelta });
      const without = nextStep(situation({ ...way, hasVersion: () => false }));
      expect([without.kind, 'delta' in without]).toEqual(['download', false]);
      // A parent that comes or goes while the version is fetched changes nothing about the work.
      expect(stepKey(withParent)).toBe(stepKey(without));
    }
    expect(nextStep(situation({ open: byDelta })).kind).toBe('train');
  });

  it('gives the decline its reason', () => {
    const overBudget = { open: record({ phase: 'invited' }), privacyRefusal: () => 'PRIVACY_BUDGET_SPENT' as const };
    expect(nextStep(situation(overBudget))).toMatchObject({ kind: 'decline', code: 'PRIVACY_BUDGET_SPENT' });
    expect(nextStep(situation({ assignment: score, keepsScores: true })).kind).toBe('idle');
    expect(nextStep(situation({ assignment: score, keepsScores: true, score: known })).kind).toBe('idle');
    expect(nextStep(situation({ open: record({ phase: 'invited' }), countVolumes: () => 0 }))).toMatchObject({
      code: 'COLLECTION_EMPTY',
    });
  });
});
