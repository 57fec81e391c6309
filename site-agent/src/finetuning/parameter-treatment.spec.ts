import { backboneOf, initialWeights, manifestOf, modelSpecSchema, statisticNames } from '@consilium/shared/models';
import { nameMatcher } from '@consilium/shared/models';
import { blockOf, blocksOf } from './model-blocks.js';
import { frozenStatistics, isFrozenAt, parameterGroups, rampAt, type Treated } from './parameter-treatment.js';
import { finetuneTrainingSchema } from './tasks/segmentation-task.js';
import { transferWeights } from './transfer-weights.js';

const SPECS: Readonly<Record<string, object>> = {
  unet: { architecture: 'genesis-unet3d', width: 1 },
  'unet without transposed convolutions': { architecture: 'genesis-unet3d', width: 1, upsampling: 'nearest' },
  classifier: { architecture: 'genesis-classifier', width: 1, hiddenFeatures: 4 },
  'residual unet': {
    architecture: 'residual-unet3d',
    stages: [
      { features: 2, blocks: 1, stride: 1 },
      { features: 4, blocks: 2 },
    ],
  },
  'resnet with decoder': { architecture: 'medicalnet-resnet', width: 2 },
  'resnet with classifier': { architecture: 'medicalnet-resnet', width: 2, head: 'classification' },
};
const specOf = (fields: object) => backboneOf(modelSpecSchema.parse(fields));

function treated(training: object, { from = SPECS['unet'] ?? {}, fresh = [] as string[] } = {}): Treated {
  const spec = specOf(from);
  const { loaded } = transferWeights(spec, initialWeights(spec, 1), 2, { fresh });
  return { spec, loaded, training: finetuneTrainingSchema.parse(training) };
}

/** What the optimizer will do with a parameter. */
function treatmentOf(name: string, training: object, frozen = false, options = {}) {
  return parameterGroups(treated(training, options), frozen).find(({ match }) => nameMatcher(match)(name));
}

describe('blocks', () => {
  it.each(Object.keys(SPECS))('of a %s hold every parameter, the output nearest to the task', (name) => {
    const spec = specOf(SPECS[name] ?? {});
    const blocks = blocksOf(spec);
    for (const tensor of manifestOf(spec).tensors) expect(blockOf(tensor.name, blocks)).toBeDefined();
    const distances = manifestOf(spec).tensors.map((tensor) => blockOf(tensor.name, blocks)?.distanceToOutput ?? NaN);
    expect(Math.min(...distances)).toBe(0);
    expect(distances[0]).toBe(Math.max(...distances));
  });
});

describe('treatment of parameters', () => {
  it('is the same for all by default', () => {
    expect(parameterGroups(treated({}), false)).toEqual([]);
    expect(rampAt(treated({}), 0)).toBeUndefined();
  });

  it('freezes what was loaded, but never the output layer nor what starts afresh', () => {
    const frozen = (name: string, fresh: string[] = []) => treatmentOf(name, {}, true, { fresh })?.frozen === true;
    expect(['e1.0.weight', 'e4.4.bias', 'u1.weight', 'd1.3.weight'].map((name) => frozen(name))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(['out.weight', 'out.bias'].map((name) => frozen(name))).toEqual([false, false]);
    expect(frozen('d1.3.weight', ['decoder'])).toBe(false);
    expect(frozen('e4.3.weight', ['decoder'])).toBe(true);
    const scratch = { ...treated({}), loaded: [] };
    expect(parameterGroups(scratch, true)).toEqual([]);
  });

  it('says by the mode when layers rest', () => {
    const at = (mode: unknown) => [0, 1, 2, 99].map((step) => isFrozenAt(finetuneTrainingSchema.parse({ mode }), step));
    expect(at('full')).toEqual([false, false, false, false]);
    expect(at('linear-probe')).toEqual([true, true, true, true]);
    expect(at({ kind: 'frozen-then-unfrozen', frozenSteps: 2 })).toEqual([true, true, false, false]);
  });

  it('slows the encoder, and each block more the further it is from the output', () => {
    const factor = (name: string, training: object) => treatmentOf(name, training)?.rateFactor ?? 1;
    expect(factor('e2.0.weight', { encoderRateFactor: 0.1 })).toBe(0.1);
    expect(factor('d2.0.weight', { encoderRateFactor: 0.1 })).toBe(1);
    const decay = { layerRateDecay: 0.5, encoderRateFactor: 0.5 };
    expect(['out.bias', 'd1.0.weight', 'u1.weight', 'd3.0.weight'].map((name) => factor(name, decay))).toEqual([
      1, 0.5, 0.5, 0.125,
    ]);
    expect(factor('e4.0.weight', decay)).toBeCloseTo(0.5 ** 4 * 0.5, 12);
    expect(factor('e1.0.weight', decay)).toBeCloseTo(0.5 ** 7 * 0.5, 12);
  });

  it('lets the rate of loaded layers climb while fresh ones settle', () => {
    const ramp = (step: number) => rampAt(treated({ freshFirst: 4 }, { fresh: ['d1.'] }), step);
    expect([0, 1, 3].map((step) => ramp(step)?.('e1.0.weight'))).toEqual([0, 0.25, 0.75]);
    expect([ramp(0)?.('d1.0.weight'), ramp(0)?.('out.weight')]).toEqual([1, 1]);
    expect(ramp(4)).toBeUndefined();
  });

  it('knows the running statistics of resting layers', () => {
    const fields = { architecture: 'genesis-unet3d', width: 1, norm: 'batch', batchStatistics: 'training' };
    const batch = treated({}, { from: fields, fresh: ['decoder'] });
    const names = frozenStatistics(batch, statisticNames(batch.spec));
    expect(names.has('e1.1.running_mean')).toBe(true);
    expect(names.has('d1.1.running_mean')).toBe(false);
    expect(names.has('e1.1.weight')).toBe(false);
  });
});
