import { digestOfBytes } from '@consilium/shared/kernel';
import { describeEvent } from './follow-campaign.js';

const campaign = { campaignId: 'c', campaignName: 'lungs', atMs: 0 };

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
});
