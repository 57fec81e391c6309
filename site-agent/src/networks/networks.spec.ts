import {
  manifestOf,
  type ModelSpec,
  modelSpecSchema,
  statisticNames,
  unet3dEncoder,
  unet3dSpecSchema,
} from '@consilium/shared/models';
import { elementCount } from '@consilium/shared/weights';
import { ParameterSet } from '../engine/parameters.js';
import { PUBLIC_ONLY, Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { Tape } from '../engine/tape.js';
import { buildNetwork } from './build-network.js';
import { encode } from './genesis-encoder.js';
import type { Network } from './network.js';

interface Passage {
  shape: readonly number[];
  gigaMultiplyAdds: number;
}

const spec = (fields: object): ModelSpec => modelSpecSchema.parse(fields);
const medicalnet = (fields: object = {}): ModelSpec => spec({ architecture: 'medicalnet-resnet', ...fields });

/** Goes forward once on shapes alone, with one example of one channel. */
function passThrough(model: ModelSpec, sides: readonly number[], forward: Network['forward']): Passage {
  const binding = new ShapeBinding();
  const runtime = new Runtime(binding, PUBLIC_ONLY);
  const network = buildNetwork(model);
  const parameters = new ParameterSet(runtime, manifestOf(model), network.idleParameters, statisticNames(model));
  const tape = new Tape(runtime, false);
  const shape = [1, ...sides, network.inputChannels];
  const output = forward(tape, parameters, tape.input(runtime.tensor(new Float32Array(elementCount(shape)), shape)));
  return { shape: output.shape, gigaMultiplyAdds: binding.multiplyAdds / 1e9 };
}

function forwardThrough(model: ModelSpec, sides: readonly number[]): Passage {
  const network = buildNetwork(model);
  return passThrough(model, sides, (...given) => network.forward(...given));
}

describe('shapes and cost of the published sizes (specification A2, B1 and F)', () => {
  it('the Genesis U-Net has 512 channels at 8×8×4 in its bottleneck, and costs 122.1 GMAC, its encoder 16.9', () => {
    const genesis = unet3dSpecSchema.parse({ architecture: 'genesis-unet3d', width: 32, norm: 'batch' });
    const norm = { choice: genesis, running: false };
    const bottleneck = passThrough(genesis, [64, 64, 32], (tape, parameters, input) =>
      encode({ tape, parameters, norm }, unet3dEncoder(genesis), input),
    );
    expect(bottleneck.shape).toEqual([1, 8, 8, 4, 512]);
    expect(bottleneck.gigaMultiplyAdds).toBeCloseTo(16.9, 1);
    const whole = forwardThrough(genesis, [64, 64, 32]);
    expect(whole.shape).toEqual([1, 64, 64, 32, 1]);
    expect(whole.gigaMultiplyAdds).toBeCloseTo(122.1, 1);
  });

  it.each([
    [10, 512, 379],
    [18, 512, 822],
    [34, 512, 1521],
    [50, 2048, 1114],
    [101, 2048, 1970],
    [152, 2048, 2675],
    [200, 2048, 2876],
  ])('MedicalNet %i has %i channels at 7×56×56 for 56×448×448, and costs %i GMAC', (depth, channels, cost) => {
    const { shape, gigaMultiplyAdds } = forwardThrough(medicalnet({ depth, head: 'none' }), [56, 448, 448]);
    expect(shape).toEqual([1, 7, 56, 56, channels]);
    expect(Math.abs(gigaMultiplyAdds - cost)).toBeLessThan(1);
  });

  it('MedicalNet answers at a quarter of each side with its decoder, for every voxel raised, once per example as a classifier', () => {
    expect(forwardThrough(medicalnet({ width: 2 }), [56, 64, 72]).shape).toEqual([1, 14, 16, 18, 2]);
    for (const head of ['raised-segmentation', 'direct-segmentation']) {
      expect(forwardThrough(medicalnet({ width: 2, head, outputs: 3 }), [56, 63, 72]).shape).toEqual([1, 56, 63, 72, 3]);
    }
    expect(forwardThrough(medicalnet({ width: 2, head: 'classification', outputs: 5 }), [17, 9, 30]).shape).toEqual([1, 5]);
  });

  it('the residual-encoder U-Net answers for every voxel', () => {
    expect(buildNetwork(spec({ architecture: 'residual-unet3d' })).sideMultiples).toEqual([32, 32, 32]);
    const stages = [1, 2, 2, 2, 2, 2].map((stride, stage) => ({ features: 2 + stage, blocks: 1, stride }));
    const residual = spec({ architecture: 'residual-unet3d', stages, outputs: 3 });
    expect(forwardThrough(residual, [64, 32, 96]).shape).toEqual([1, 64, 32, 96, 3]);
  });
});

describe('parameters without effect', () => {
  const idle = (fields: object): string[] => [...buildNetwork(spec(fields)).idleParameters];
  const genesis = { architecture: 'genesis-unet3d', width: 2 };

  it('are the biases that a norm takes away again', () => {
    expect(idle({ ...genesis, norm: 'instance' })).toHaveLength(14);
    expect(idle({ ...genesis, norm: 'batch' })).toEqual(idle({ ...genesis, norm: 'instance' }));
    expect(idle({ architecture: 'genesis-classifier', width: 2 })).toHaveLength(8);
    expect(idle({ architecture: 'medicalnet-resnet', norm: 'instance' })).toEqual(['conv_seg.0.bias']);
    expect(idle({ architecture: 'medicalnet-resnet', norm: 'instance', head: 'raised-segmentation' })).toEqual([
      'conv_seg.0.bias',
    ]);
  });

  it('are not the biases before norms that mix channels or remember the mean', () => {
    expect(idle({ ...genesis, norm: 'group' })).toEqual([]);
    expect(idle({ ...genesis, norm: 'batch', batchStatistics: 'training' })).toEqual([]);
    expect(idle({ architecture: 'medicalnet-resnet' })).toEqual([]);
  });

  it('are the outputs that only deep supervision would read', () => {
    const stages = [2, 3, 4].map((features, stage) => ({ features, blocks: 1, stride: stage === 0 ? 1 : 2 }));
    const found = idle({ architecture: 'residual-unet3d', stages, norm: 'batch' });
    expect(found).toEqual(['decoder.seg_layers.0.weight', 'decoder.seg_layers.0.bias']);
    expect(idle({ architecture: 'residual-unet3d', stages })).toHaveLength(2 + 1 + 2 * 3 + 2);
  });

  it('are no statistics, and examples stay apart unless batch norm mixes them', () => {
    for (const norm of ['batch', 'instance', 'group']) {
      const model = medicalnet({ norm, width: 1 });
      const network = buildNetwork(model);
      expect([...network.idleParameters].filter((name) => statisticNames(model).has(name))).toEqual([]);
      expect(network.examplesIndependent).toBe(norm !== 'batch');
    }
  });
});
