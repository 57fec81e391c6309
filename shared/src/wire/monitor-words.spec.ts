import { describeMonitorChange, describeMonitors, describeStepFigures } from './monitor-words.js';
import { monitorsSchema } from './reports.js';

const restoration = (modality: 'CT' | 'MR', restorationError: number) => ({
  ...{ modality, patches: 6, restorationError, constantError: 0.1, skill: 1 - restorationError / 0.1 },
});

describe('the words of monitors', () => {
  const base = monitorsSchema.parse({
    patches: 12,
    restoration: [restoration('CT', 0.0712), restoration('MR', 0.09)],
    scaleAccuracy: 0.333,
    modalityAccuracy: 1,
    featureRank: 2.26,
  });
  const trained = {
    ...base,
    restoration: [restoration('CT', 0.05), restoration('MR', 0.0601)],
    scaleAccuracy: 0.75,
    featureRank: 4,
  };

  it('tell what the heads and the features say', () => {
    expect(describeMonitors(base)).toBe('scale accuracy 0.33, modality accuracy 1.00, feature rank 2.3');
  });

  it('tell each figure before and after', () => {
    expect(describeMonitorChange(base, trained)).toBe(
      'restoration error CT 0.0712 → 0.0500, restoration error MR 0.0900 → 0.0601, scale accuracy 0.33 → 0.75, modality accuracy 1.00 → 1.00, feature rank 2.3 → 4.0',
    );
  });

  it('leave out heads that a model lacks, and what only one of two has', () => {
    const bare = { ...base, scaleAccuracy: undefined, modalityAccuracy: undefined };
    expect(describeMonitors(bare)).toBe('feature rank 2.3');
    const single = { ...bare, restoration: [restoration('CT', 0.05)] };
    expect(describeMonitorChange(base, single)).toBe('restoration error CT 0.0712 → 0.0500, feature rank 2.3 → 2.3');
  });
});

it('tells the figures of steps that there are', () => {
  expect(describeStepFigures({ restorationError: 0.04792, scaleAccuracy: 1 / 3, modalityAccuracy: 0.5 })).toBe(
    'restoration 0.0479, scale 0.33, modality 0.50',
  );
  expect(describeStepFigures({ restorationError: 0.1 })).toBe('restoration 0.1000');
  expect(describeStepFigures({})).toBe('');
});
