import { maskOfRuns, readMetricGoldens } from '../../../../test/fixtures/read-metric-goldens.js';
import { countLegacy, legacyGenesisIou } from './legacy-genesis-iou.js';
import { countOverlap, foregroundIou } from './overlap.js';

const golden = readMetricGoldens().legacy;
const cases = golden.cases.map(({ probabilities, labelled }) => ({
  probabilities: Float32Array.from(probabilities),
  labelled: maskOfRuns(labelled),
}));

describe('the "IoU" of Models Genesis', () => {
  const counts = cases.map(({ probabilities, labelled }) => countLegacy(probabilities, (voxel) => labelled[voxel] === 1));

  it('agrees with scikit-learn over the voxels of both cases', () => {
    expect(legacyGenesisIou(counts)).toBeCloseTo(golden.legacyGenesisIou, 12);
  });

  it('flatters: it lies above the foreground IoU of the same prediction', () => {
    const predicted = Uint8Array.from(
      cases.flatMap(({ probabilities }) => [...probabilities]),
      (value) => (value > 0.5 ? 1 : 0),
    );
    const labelled = Uint8Array.from(cases.flatMap((entry) => [...entry.labelled]));
    const plain = foregroundIou(countOverlap(predicted, labelled, 1)[0] ?? { predicted: 0, labelled: 0, both: 0 });
    expect(plain).toBeCloseTo(golden.foregroundIou, 12);
    expect(legacyGenesisIou(counts)).toBeGreaterThan(plain + 0.1);
  });

  it('is a figure over all voxels, not a mean of the cases', () => {
    const apart = counts.map((each) => legacyGenesisIou([each]));
    expect(legacyGenesisIou(counts)).not.toBeCloseTo(((apart[0] ?? NaN) + (apart[1] ?? NaN)) / 2, 6);
  });
});
