import type { CampaignEvent } from '@consilium/shared/wire';
import { FederationView } from './federation-view.js';

const campaign = { campaignId: 'c', campaignName: 'first-light', atMs: 0 };

function makeView(): FederationView {
  return new FederationView(
    [
      { name: 'hospital-a', summary: 'MR' },
      { name: 'hospital-b', summary: 'CT' },
    ],
    4,
    0,
  );
}

function progress(siteName: string, step: number, loss?: number): CampaignEvent {
  return {
    ...campaign,
    kind: 'progress',
    roundNumber: 1,
    siteName,
    progress: {
      participationId: 'p',
      phase: 'training',
      step,
      steps: 10,
      share: step / 10,
      ...(loss === undefined ? {} : { loss }),
    },
  };
}

describe('FederationView', () => {
  it('shows each hospital with its steps and loss, and the time that is left', () => {
    const view = makeView();
    expect(view.apply({ ...campaign, kind: 'round', roundNumber: 1, state: 'inviting' })).toBe(
      'round 1 of 4: hospitals are invited',
    );
    view.apply(progress('hospital-a', 10, 0.02));
    view.apply(progress('hospital-b', 5));
    const [first, second, last] = view.lines(15_000);
    expect(first).toMatch(/hospital-a {2}MR {2}█{20} +10\/10 {2}loss 0\.0200/);
    expect(second).toMatch(/hospital-b {2}CT {2}█{10}░{10} +5\/10/);
    // 0.75 of one round of four is done after 15 s: 80 s in all, 65 s to go.
    expect(last).toContain('round 1 of 4');
    expect(last).toContain('about 1 min 5 s left');
  });

  it('keeps a line of what a log should tell: deliveries, failures with their code, scores, versions', () => {
    const view = makeView();
    const participation = { ...campaign, kind: 'participation' as const, roundNumber: 1, siteName: 'hospital-b' };
    view.apply(progress('hospital-b', 10, 0.5));
    expect(view.apply({ ...participation, state: 'delivered' })).toBe('  hospital-b: update delivered, loss 0.5000');
    expect(view.apply({ ...participation, state: 'failed', code: 'UPDATE_NOT_FINITE' })).toBe(
      '  hospital-b: failed (UPDATE_NOT_FINITE)',
    );
    expect(view.apply({ ...participation, state: 'training' })).toBeUndefined();
    const score = { restorationError: 0.02, constantError: 0.08, skill: 0.75, patches: 4 };
    expect(view.apply({ ...campaign, kind: 'score', siteName: 'hospital-a', versionNumber: 2, score })).toBe(
      '  hospital-a: version 2 restores its probe with error 0.0200, skill 0.75',
    );
    const digest = `sha256:${'ab'.repeat(32)}` as const;
    expect(view.apply({ ...campaign, kind: 'round', roundNumber: 1, state: 'finished', versionDigest: digest })).toBe(
      'round 1 of 4: finished, version 2 is abababababab',
    );
  });

  it('starts each round afresh and ends full', () => {
    const view = makeView();
    view.apply(progress('hospital-a', 10));
    view.apply({ ...campaign, kind: 'round', roundNumber: 4, state: 'inviting' });
    expect(view.lines(1000)[0]).toMatch(/░{20}.*invited/);
    view.apply({ ...campaign, kind: 'round', roundNumber: 4, state: 'finished' });
    expect(view.lines(1000).at(-1)).toMatch(/█{20}/);
  });
});
