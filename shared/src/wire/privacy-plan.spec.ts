import { makeTrainAssignment, makeUpdateReport } from '../../../test/fixtures/make-assignment.js';
import { CENTRAL, LOCAL } from '../../../test/fixtures/make-privacy.js';
import { campaignPlanSchema, type Progress, progressUnder, reportUnder } from './index.js';

const GENESIS = { architecture: 'genesis-unet3d', width: 1, norm: 'instance' };
const UNIVERSAL = { architecture: 'universal-model', width: 1, norm: 'instance' };

function issuesOf(fields: Record<string, unknown>): string[] {
  const campaign = { name: 'c', model: GENESIS, training: { steps: 2 }, rounds: 10, quorum: 5, ...fields };
  const result = campaignPlanSchema.safeParse(campaign);
  return result.success ? [] : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}
const universal = (mode: string): Record<string, unknown> => ({
  model: UNIVERSAL,
  objective: { kind: 'universal-model', adversary: { mode } },
  patch: { sizeVoxels: [32, 32, 32], scales: {} },
  rounds: 100,
});
const f16 = { format: 'f16' };

describe('a campaign with privacy', () => {
  it('takes its defaults, and bounds its fields', () => {
    const parsed = campaignPlanSchema.parse({
      ...{ name: 'c', model: GENESIS, training: { steps: 2 }, rounds: 1 },
      privacy: { form: 'local', clipNorm: 1, noiseMultiplier: 8 },
    });
    expect(parsed.privacy).toEqual({ form: 'local', clipNorm: 1, noiseMultiplier: 8, delta: 1e-5, figures: 'counts' });
    for (const wrong of [{ form: 'secret' }, { clipNorm: 0 }, { noiseMultiplier: 0 }, { delta: 1 }, { delta: 0 }, { epsilon: 1 }])
      expect(issuesOf({ privacy: { ...LOCAL, ...wrong } })).toHaveLength(1);
  });

  it.each<[string, Record<string, unknown>]>([
    ['local, plain', { privacy: LOCAL }],
    ['local, rounded with error feedback', { privacy: LOCAL, updates: f16 }],
    ['local, median', { privacy: LOCAL, recipe: { name: 'median' } }],
    ['local, krum', { privacy: LOCAL, recipe: { name: 'krum' } }],
    ['local, buffered', { privacy: LOCAL, recipe: { name: 'fedbuff' } }],
    ['central, plain', { privacy: CENTRAL }],
    ['central, Adam on the mean', { privacy: CENTRAL, recipe: { name: 'fedadam' } }],
    ['central, 32 bits in words', { privacy: CENTRAL, updates: { format: 'f32' } }],
    ['central, a cohort', { privacy: CENTRAL, cohort: { sites: 6 } }],
    ['central, parameters of one’s own', { privacy: CENTRAL, siteLocal: ['norms'] }],
    ['no adversary', { privacy: CENTRAL, ...universal('none') }],
  ])('may be %s', (_what, fields) => {
    expect(issuesOf(fields)).toEqual([]);
  });

  const sgd = { training: { steps: 2, optimizer: { kind: 'sgd', learningRate: 0.1 } } };
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['local, scaffold', { privacy: LOCAL, recipe: { name: 'scaffold' }, ...sgd }, /^recipe\.name: .*control variates/],
    ['central, scaffold', { privacy: CENTRAL, recipe: { name: 'scaffold' }, ...sgd }, /^recipe\.name: .*control variates/],
    ['central, median', { privacy: CENTRAL, recipe: { name: 'median' } }, /^recipe\.name: .*more than its share/],
    ['central, trimmed mean', { privacy: CENTRAL, recipe: { name: 'trimmed-mean' } }, /^recipe\.name/],
    ['central, krum', { privacy: CENTRAL, recipe: { name: 'krum' } }, /^recipe\.name/],
    ['central, multi-krum', { privacy: CENTRAL, recipe: { name: 'multi-krum' } }, /^recipe\.name/],
    ['central, buffered', { privacy: CENTRAL, recipe: { name: 'fedbuff' } }, /^recipe\.name: .*count twice/],
    [
      'central, a cap on patches',
      { privacy: CENTRAL, recipe: { maximumPatchesPerSite: 9 } },
      /^recipe\.maximumPatchesPerSite: .*counts the same/,
    ],
    ['central, rounded', { privacy: CENTRAL, updates: f16 }, /^updates\.format: .*over the norm/],
    ['local, reversal', { privacy: LOCAL, ...universal('reversal') }, /^objective\.adversary\.mode: .*modalities it holds/],
    ['local, frozen', { privacy: LOCAL, ...universal('frozen') }, /^objective\.adversary\.mode: .*neither clipped nor noised/],
  ])('may not be %s', (_what, fields, expected) => {
    const issues = issuesOf(fields);
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(expected);
  });
});

describe('what leaves beside an update', () => {
  const { plan } = makeTrainAssignment();
  const monitors = { patches: 1, restoration: [], featureRank: 1 };
  const report = {
    ...makeUpdateReport(),
    ...{ waitedMs: 1, deltaNorm: 2, encodingError: 0.1, monitors: { base: monitors, trained: monitors } },
  };
  const progress: Progress = {
    ...{ participationId: 'p', phase: 'training', step: 1, steps: 2, share: 0.5 },
    ...{ loss: 0.5, figures: { scaleAccuracy: 1 } },
  };

  it('is counts and times alone, unless the plan says otherwise in words', () => {
    const counts = { steps: 10, patches: 20, trainingMs: 1000, volumes: 2 };
    expect(reportUnder({ privacy: LOCAL }, report)).toEqual(counts);
    const still = { participationId: 'p', phase: 'training', step: 1, steps: 2, share: 0.5 };
    expect(progressUnder({ privacy: CENTRAL }, progress)).toEqual(still);
    for (const open of [plan, { privacy: { ...LOCAL, figures: 'all' as const } }]) {
      expect(reportUnder(open, report)).toBe(report);
      expect(progressUnder(open, progress)).toBe(progress);
    }
  });
});
