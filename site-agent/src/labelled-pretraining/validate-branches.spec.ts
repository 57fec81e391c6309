import { keptInMemory } from '../finetuning/cases/kept-case.js';
import type { LabelledCase } from '../finetuning/cases/labelled-case.js';
import type { LoadedCollection } from './branch-feed.js';
import { median } from './median-spacing.js';
import { bestLook, type Look } from './pretraining-history.js';
import { mostProbable, validateBranches } from './validate-branches.js';

const SIZE = [8, 8, 16] as const;
const context = { stop: new AbortController().signal, report: () => undefined };

/** A case whose intensities are its class numbers over ten. */
function madeCase(classes: number): LabelledCase {
  const classMap = Uint8Array.from({ length: 8 * 8 * 16 }, (_, voxel) => voxel % (classes + 1));
  return { name: 'case', sizeVoxels: SIZE, classMap, intensities: Float32Array.from(classMap, (value) => value / 10) };
}

function collection(name: string, classes: number, cases: number): LoadedCollection {
  const named = Array.from({ length: classes }, (_, index) => ({ name: `${name}-${index}`, labels: [index + 1] }));
  const validation = Array.from({ length: cases }, () => keptInMemory(madeCase(classes), classes));
  return { collection: { name, classes: named, cases: { train: [], validation: [], test: [] } }, train: [], validation };
}

/** Reads the class off the intensity; the branch "blind" takes class 1 for background. */
function predict(name: string, input: Float32Array): Float32Array {
  const outputs = name === 'blind' ? 3 : 2;
  const probabilities = new Float32Array(input.length * outputs);
  input.forEach((value, voxel) => {
    const found = Math.round(value * 10);
    probabilities[voxel * outputs + (name === 'blind' && found === 1 ? 0 : found)] = 1;
  });
  return probabilities;
}

describe('validation of branches', () => {
  it('scores each branch on its own collection and classes', async () => {
    const loaded = [collection('seeing', 1, 2), collection('blind', 2, 1), collection('untested', 1, 0)];
    expect(await validateBranches({ predict }, loaded, SIZE, context)).toEqual([
      { dice: 1, classes: [{ name: 'seeing-0', dice: 1 }] },
      {
        dice: 0.5,
        classes: [
          { name: 'blind-0', dice: 0 },
          { name: 'blind-1', dice: 1 },
        ],
      },
      { dice: null, classes: [] },
    ]);
  });

  it('takes the most probable class, background included', () => {
    expect([...mostProbable(Float32Array.of(0.5, 0.3, 0.2, 0.3, 0.3, 0.4, 0.4, 0.4, 0.2), 3)]).toEqual([0, 2, 0]);
  });

  it('keeps the first of the looks with the best mean, and none without validation cases', () => {
    const look = (step: number, meanDice: number | null): Look => ({ step, meanDice, learningRate: 1, collections: [] });
    expect(bestLook([look(1, 0.2), look(2, 0.6), look(3, 0.6), look(4, null)])?.step).toBe(2);
    expect(bestLook([look(1, null)])).toBeUndefined();
  });
});

describe('the spacing of a collection', () => {
  it('is a median that one of its scans has', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([0.5])]).toEqual([2, 2, 0.5]);
  });
});
