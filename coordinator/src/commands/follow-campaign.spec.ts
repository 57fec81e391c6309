import { digestOfBytes } from '@consilium/shared/kernel';
import type { CampaignView } from '@consilium/shared/wire';
import { describeCampaign, describeEvent } from './follow-campaign.js';

const campaign = { campaignId: 'c', campaignName: 'lungs', atMs: 0 };

const MONITORS = {
  base: { patches: 4, restoration: [], scaleAccuracy: 0.25, modalityAccuracy: 1, featureRank: 2 },
  trained: { patches: 4, restoration: [], scaleAccuracy: 0.5, modalityAccuracy: 0.75, featureRank: 3 },
};
const CHANGE = 'scale accuracy 0.25 → 0.50, modality accuracy 1.00 → 0.75, feature rank 2.0 → 3.0';

describe('describeEvent', () => {
  it('says what happened on one line', () => {
    const digest = digestOfBytes('x');
    expect(describeEvent({ ...campaign, kind: 'round', roundNumber: 2, state: 'finished', versionDigest: digest })).toBe(
      `round 2 finished, new version ${digest.slice(7, 19)}`,
    );
    expect(
      describeEvent({
        ...campaign,
        kind: 'participation',
        roundNumber: 2,
        siteName: 'a',
        state: 'failed',
        code: 'OUT_OF_MEMORY',
      }),
    ).toBe('round 2  a failed (OUT_OF_MEMORY)');
    const progress = { participationId: 'p', phase: 'training' as const, step: 3, steps: 9, loss: 0.12345, share: 0.3 };
    expect(describeEvent({ ...campaign, kind: 'progress', roundNumber: 2, siteName: 'a', progress })).toBe(
      'round 2  a training step 3/9, loss 0.1235',
    );
  });

  it('tells the skill apart by modality and treatment, and a model that has not learnt by its name', () => {
    const figures = { restorationError: 0.06, constantError: 0.1, skill: 0.4 };
    const groups = [
      { modality: 'CT' as const, share: 1, ...figures },
      { treatment: 'untouched' as const, share: 0.2, ...figures, skill: 0.93 },
    ];
    const event = { ...campaign, kind: 'score' as const, siteName: 'a', versionNumber: 3 };
    expect(describeEvent({ ...event, score: { ...figures, patches: 8, groups } })).toBe(
      'version 3  a restoration error 0.06000, skill 0.400 (CT 0.40; untouched 0.93)',
    );
    const poor = { restorationError: 0.0999, constantError: 0.1, skill: 0.001, patches: 8 };
    expect(describeEvent({ ...event, score: poor })).toMatch(
      /skill 0\.001, has not learned yet: no better than a constant grey$/,
    );
  });

  it('tells the monitors of a universal model: a version’s beside its skill, a round’s at its end', () => {
    const score = { restorationError: 0.06, constantError: 0.1, skill: 0.4, patches: 4 };
    const event = { ...campaign, kind: 'score' as const, siteName: 'a', versionNumber: 3, score, monitors: MONITORS.base };
    expect(describeEvent(event)).toMatch(/, skill 0\.400; scale accuracy 0\.25, modality accuracy 1\.00, feature rank 2\.0$/);
    const round = { ...campaign, kind: 'round' as const, roundNumber: 2, state: 'finished' as const, monitors: MONITORS };
    expect(describeEvent(round)).toBe(`round 2 finished; mean over the sites’ probes, from the base to the updates: ${CHANGE}`);
  });
});

describe('describeCampaign', () => {
  it('tells form, noise and ε of each site, and what the whole campaign comes to', () => {
    const version = { number: 1, digest: digestOfBytes('v'), bytes: 1, scores: [] };
    const privacy = {
      ...{ form: 'local' as const, clipNorm: 0.5, noiseMultiplier: 4, delta: 1e-5, figures: 'counts' as const },
      ...{ neighbours: 'replaced' as const, sites: [{ siteName: 'a', releases: 1, epsilon: 2.16571 }], epsilonAtEnd: 5.3761 },
    };
    const named = { id: 'c', name: 'lungs', state: 'active' as const, code: null, createdAtMs: 0, rounds: 5, finishedRounds: 1 };
    const [, form, epsilon] = describeCampaign({ ...named, privacy, initialVersion: version, version, roundViews: [] });
    expect(form).toBe('  privacy  local, clip norm 0.5, noise 4 of it; counts alone leave beside updates');
    expect(epsilon).toBe('  ε at δ 0.00001  a 2.166 after 1 updates; 5.377 after all 5 rounds');
  });

  it('has a line for the monitors of each round that has any', () => {
    const version = { number: 1, digest: digestOfBytes('x'), bytes: 1, scores: [] };
    const times = { startedAtMs: null, finishedAtMs: null };
    const round = { id: 'r', attempt: 1, state: 'finished' as const, code: null, ...times, baseVersion: 1, version: null };
    const view: CampaignView = {
      ...{ id: 'c', name: 'lungs', state: 'active', rounds: 2, finishedRounds: 1, createdAtMs: 0, code: null },
      ...{ initialVersion: version, version },
      roundViews: [
        { ...round, number: 1, participations: [], monitors: MONITORS },
        { ...round, number: 2, participations: [] },
      ],
    };
    const [, first, monitors, second, ...rest] = describeCampaign(view);
    expect([first, second]).toEqual(['  round 1  finished: ', '  round 2  finished: ']);
    expect(monitors).toBe(`    mean over the sites’ probes, from the base to the updates: ${CHANGE}`);
    expect(rest).toEqual([]);
  });
});
