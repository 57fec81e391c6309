import { digestOfBytes } from '@consilium/shared/kernel';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { modelOfSize } from './model-of-size.js';
import { readSimulationOptions } from './simulation-options.js';
import { SimulationView } from './simulation-view.js';

const campaign = { campaignId: 'c', campaignName: 'simulation' };
const round = { ...campaign, kind: 'round' as const, roundNumber: 1 };
const part = { ...campaign, kind: 'participation' as const, roundNumber: 1, atMs: 0 };

describe('SimulationView', () => {
  it('counts what has become of the sites and says it when a round ends', () => {
    const view = new SimulationView(4, 2, 0);
    view.apply({ ...round, atMs: 1000, state: 'planned' });
    view.apply({ ...part, siteName: 'a', state: 'delivered' });
    view.apply({ ...part, siteName: 'b', state: 'late' });
    view.apply({ ...part, siteName: 'c', state: 'failed', code: 'TRAINING_DIVERGED' });
    view.apply({ ...part, siteName: 'd', state: 'training' });
    expect(
      view.lines(
        [
          { phase: 'training', isConnected: true },
          { phase: 'idle', isConnected: false },
        ],
        5000,
      ),
    ).toEqual([
      'round 1 of 2: 1/4 delivered, 1 late, 1 failed',
      'sites: 1 training, 1 away',
      expect.stringContaining('5.0 s so far'),
    ]);
    const digest = digestOfBytes('x', 'blake3');
    expect(view.apply({ ...round, atMs: 3500, state: 'finished', versionDigest: digest })).toBe(
      `round 1 of 2 finished in 2.50 s: 1/4 delivered, 1 late, 1 failed  ${digest.slice(7, 19)}`,
    );
    view.apply({ ...round, roundNumber: 2, atMs: 4000, state: 'planned' });
    expect(view.apply({ ...round, roundNumber: 2, atMs: 4100, state: 'failed', code: 'QUORUM_MISSED' })).toBe(
      'round 2 of 2 failed in 0.10 s: 0/4 delivered  QUORUM_MISSED',
    );
  });
});

describe('the options of a simulation', () => {
  it('have defaults, and read counts with units', () => {
    expect(readSimulationOptions([])).toMatchObject({ sites: 50, rounds: 20, quorum: 40, grace: '2s', trainingMs: 200 });
    expect(readSimulationOptions(['--parameters', '2.5M', '--training', '0'])).toMatchObject({
      parameters: 2_500_000,
      trainingMs: 0,
    });
    expect(readSimulationOptions(['--help'])).toBeUndefined();
  });

  it.each([
    ['--sites', '0'],
    ['--quorum', '51'],
    ['--slow', '2'],
    ['--format', 'f64'],
    ['--training', 'long'],
    ['--sights', '3'],
  ])('%s %s is refused', (...args) => {
    const refusal = refusalOf(() => readSimulationOptions(args));
    expect(refusal.code).toBe('ARGUMENT_INVALID');
    expect(refusal.message).toContain(args[0]);
  });
});

describe('modelOfSize', () => {
  it.each([
    [1, 18_895],
    [1_000_000, 1_193_761],
    [25_000_000, 25_498_255],
    [100_000_000, 102_348_965],
  ])('finds the smallest model with %d parameters', (wanted, parameters) => {
    expect(modelOfSize(wanted).parameters).toBe(parameters);
  });

  it('says when none is large enough', () => {
    expect(() => modelOfSize(2e8)).toThrow(RangeError);
  });
});
