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
});
