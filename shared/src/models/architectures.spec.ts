import { readFileSync } from 'node:fs';
import { digestOfBytes } from '@consilium/shared/kernel';
import { elementCount, parameterCount } from '@consilium/shared/weights';
import {
  cube,
  manifestOf,
  medicalnetBlocks,
  type MedicalnetSpec,
  medicalnetSpecSchema,
  modelSpecSchema,
  type ParameterSpec,
  parametersOf,
  residualUnet3dSideMultiples,
  type ResidualUnet3dSpec,
  residualUnet3dSpecSchema,
  sideMultiplesOf,
  statisticNames,
  trainedParameterCount,
} from './index.js';

function medicalnet(overrides: Record<string, unknown> = {}): MedicalnetSpec {
  return medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', ...overrides });
}

const count = (parameters: readonly ParameterSpec[]): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

describe('the MedicalNet ResNet as data (specification B1 and F)', () => {
  it.each([
    [10, 14_355_520, 14.36, 14.51],
    [18, 32_986_176, 32.99, 33.15],
    [34, 63_295_808, 63.31, 63.45],
    [50, 46_155_072, 46.21, 46.71],
    [101, 85_201_216, 85.31, 85.75],
    [152, 117_359_936, 117.51, 117.91],
    [200, 126_559_552, 126.74, 127.11],
  ])('depth %i: %i encoder parameters, %f M with buffers, %f M trained with the demo head', (depth, encoder, buffers, demo) => {
    const bare = medicalnet({ depth, head: 'none' });
    expect(trainedParameterCount(bare)).toBe(encoder);
    expect(parameterCount(manifestOf(bare)) / 1e6).toBeCloseTo(buffers, 2);
    expect(trainedParameterCount(medicalnet({ depth, outputs: 2 })) / 1e6).toBeCloseTo(demo, 2);
  });

  it.each([
    [10, 158_944],
    [50, 552_160],
  ])('depth %i: the demo head has %i parameters', (depth, size) => {
    const head = parametersOf(medicalnet({ depth })).filter(
      ({ name, role }) => name.startsWith('conv_seg') && role === 'trained',
    );
    expect(count(head)).toBe(size);
  });

  it('has strides, dilations and shortcuts as published: output stride 8', () => {
    const blocks = medicalnetBlocks(medicalnet({ depth: 50 }));
    expect(blocks).toHaveLength(16);
    expect(blocks.filter(({ stride }) => stride === 2).map(({ name }) => name)).toEqual(['layer2.0']);
    expect(new Set(blocks.slice(7, 13).map(({ dilation }) => dilation))).toEqual(new Set([2]));
    expect(new Set(blocks.slice(13).map(({ dilation }) => dilation))).toEqual(new Set([4]));
    const changing = blocks.filter(({ shortcut }) => shortcut !== 'identity');
    expect(changing.map(({ name, shortcut }) => [name, shortcut])).toEqual(
      [1, 2, 3, 4].map((layer) => [`layer${layer}.0`, 'convolved']),
    );
    const padded = medicalnetBlocks(medicalnet({ depth: 18 })).filter(({ shortcut }) => shortcut !== 'identity');
    expect(padded.map(({ name, shortcut }) => [name, shortcut])).toEqual([2, 3, 4].map((layer) => [`layer${layer}.0`, 'padded']));
  });

  it('takes any width and the other heads, and keeps statistics only for batch norm', () => {
    const small = medicalnet({ depth: 50, width: 4, head: 'classification', outputs: 3 });
    const named = new Map(manifestOf(small).tensors.map(({ name, shape }) => [name, shape]));
    expect(named.get('conv1.weight')).toEqual([4, 1, 7, 7, 7]);
    expect(named.get('layer4.2.conv3.weight')).toEqual([128, 32, 1, 1, 1]);
    expect(named.get('fc.weight')).toEqual([3, 128]);
    expect(named.has('conv_seg.0.weight')).toBe(false);
    expect(statisticNames(small).size).toBe(2 * 53); // 1 + 3 · 16 blocks + 4 shortcuts
    expect(statisticNames(medicalnet({ norm: 'instance' })).size).toBe(0);
    expect(medicalnet({ width: 1 }).head).toBe('segmentation');
    expect(trainedParameterCount(medicalnet({ width: 1 }))).toBeGreaterThan(0);
  });
});

interface NameGolden {
  inputs: number;
  outputs: number;
  features: number[];
  blocks: number[];
  strides: (number | number[])[];
  kernels: (number | number[])[];
  tensors: number;
  elements: number;
  digest: string;
}

const GOLDENS = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/network-goldens/names.json', import.meta.url), 'utf8'),
) as { residualUnet3d: Record<string, NameGolden> };
const RESIDUAL_UNETS = GOLDENS.residualUnet3d;

function residualUnet(golden: NameGolden): ResidualUnet3dSpec {
  const { inputs, outputs, features, blocks, strides, kernels } = golden;
  const stages = features.map((_, i) => ({ features: features[i], blocks: blocks[i], stride: strides[i], kernel: kernels[i] }));
  return residualUnet3dSpecSchema.parse({ architecture: 'residual-unet3d', stages, inputChannels: inputs, outputs });
}

describe('the residual-encoder U-Net as data', () => {
  it.each(Object.entries(RESIDUAL_UNETS))('%s: has the tensors of the published package, in its order', (_name, golden) => {
    const parameters = parametersOf(residualUnet(golden));
    const lines = parameters.map(({ name, shape }) => `${name} [${shape.join(', ')}]\n`).join('');
    expect(parameters).toHaveLength(golden.tensors);
    expect(count(parameters)).toBe(golden.elements);
    expect(digestOfBytes(Buffer.from(lines))).toBe(golden.digest);
  });

  it('has the published stages by default', () => {
    const spec = residualUnet3dSpecSchema.parse({ architecture: 'residual-unet3d', outputs: 3 });
    expect(parametersOf(spec)).toEqual(parametersOf(residualUnet(RESIDUAL_UNETS['published'] as NameGolden)));
    expect(residualUnet3dSideMultiples(spec)).toEqual(cube(32));
  });

  it('knows what the sides of a patch must be multiples of', () => {
    const uneven = residualUnet(RESIDUAL_UNETS['uneven'] as NameGolden);
    expect(sideMultiplesOf(uneven)).toEqual([2, 4, 2]);
    expect(residualUnet3dSideMultiples(uneven)).toEqual([2, 4, 2]);
    expect(sideMultiplesOf(medicalnet())).toEqual(cube(8));
    expect(sideMultiplesOf(medicalnet({ head: 'classification' }))).toEqual(cube(1));
  });

  it('starts each block as its shortcut and each bias at zero, as nnU-Net does', () => {
    const parameters = parametersOf(residualUnet(RESIDUAL_UNETS['uneven'] as NameGolden));
    const zero = parameters.filter(({ initialiser }) => initialiser.kind === 'zeros').map(({ name }) => name);
    expect(zero).toEqual(parameters.map(({ name }) => name).filter((name) => /bias$|conv2\.norm\.weight$/.test(name)));
  });

  it('refuses a first stage that loses resolution', () => {
    const stages = [
      { features: 4, blocks: 1, stride: 2 },
      { features: 4, blocks: 1 },
    ];
    const { error } = modelSpecSchema.safeParse({ architecture: 'residual-unet3d', stages });
    expect(error?.issues[0]).toMatchObject({ path: ['stages'], message: expect.stringContaining('stride is 1') as string });
  });
});

describe('heads', () => {
  it('the Genesis classifier is the encoder and two linear layers', () => {
    const spec = modelSpecSchema.parse({ architecture: 'genesis-classifier', width: 32, outputs: 1 });
    const manifest = manifestOf(spec);
    const head = manifest.tensors.filter(({ name }) => name.startsWith('head.'));
    expect(head.map(({ name, shape }) => [name, shape])).toEqual([
      ['head.0.weight', [1024, 512]],
      ['head.0.bias', [1024]],
      ['head.2.weight', [1, 1024]],
      ['head.2.bias', [1]],
    ]);
    expect(parameterCount(manifest) - parameterCount({ tensors: head })).toBe(7_027_776);
  });
});
