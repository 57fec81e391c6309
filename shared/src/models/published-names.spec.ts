import { readFileSync } from 'node:fs';
import { digestOfBytes } from '@consilium/shared/kernel';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import {
  fromPublishedNames,
  initialWeights,
  manifestOf,
  modelSpecSchema,
  type ModelSpec,
  publishedNames,
  toPublishedNames,
} from './index.js';

interface Checkpoint {
  tensors: number;
  elements: number;
  digest: string;
}

const GOLDENS = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/network-goldens/names.json', import.meta.url), 'utf8'),
) as { genesis: Checkpoint; medicalnet: Record<string, Checkpoint> };

const parse = (fields: object): ModelSpec => modelSpecSchema.parse(fields);
const genesis = (fields: object = {}): ModelSpec => parse({ architecture: 'genesis-unet3d', norm: 'batch', ...fields });
const medicalnet = (fields: object = {}): ModelSpec => parse({ architecture: 'medicalnet-resnet', ...fields });

/** The names and shapes that PyTorch would save: ours, published, with the batch counter that ends each norm's entries. */
function savedTensors(spec: ModelSpec): Checkpoint {
  const lines: string[] = [];
  let elements = 0;
  const published = publishedNames(spec);
  for (const tensor of manifestOf(spec).tensors) {
    const [name, shape] = [published.get(tensor.name) ?? '', tensor.shape];
    lines.push(`${name} [${shape.join(', ')}]\n`);
    elements += elementCount(shape);
    if (!name.endsWith('.running_var')) continue;
    lines.push(`${name.replace('running_var', 'num_batches_tracked')} []\n`);
    elements += 1;
  }
  return { tensors: lines.length, elements, digest: digestOfBytes(Buffer.from(lines.join(''))) };
}

const counter = (name: string): WeightSet[number] => ({ name, shape: [], values: Float32Array.of(7) });

describe('published names', () => {
  it('are those of the Models Genesis checkpoint, in its order', () => {
    expect(savedTensors(genesis({ width: 32, batchStatistics: 'training' }))).toEqual(GOLDENS.genesis);
  });

  it.each([10, 18, 50])('are those of the MedicalNet checkpoint of depth %i, in its order', (depth) => {
    expect(savedTensors(medicalnet({ depth }))).toEqual(GOLDENS.medicalnet[String(depth)]);
  });

  it.each([
    ['e1.0.weight', 'module.down_tr64.ops.0.conv1.weight'],
    ['e4.4.bias', 'module.down_tr512.ops.1.bn1.bias'],
    ['u3.weight', 'module.up_tr256.up_conv.weight'],
    ['d1.3.bias', 'module.up_tr64.ops.1.conv1.bias'],
    ['out.bias', 'module.out_tr.final_conv.bias'],
  ])('%s is %s', (own, published) => {
    expect(publishedNames(genesis()).get(own)).toBe(published);
  });

  it.each([
    genesis({ width: 1 }),
    genesis({ width: 1, upsampling: 'nearest' }),
    parse({ architecture: 'genesis-classifier', norm: 'group', width: 2, hiddenFeatures: 4 }),
    medicalnet({ depth: 34, width: 1 }),
    medicalnet({ width: 2, head: 'classification' }),
    parse({
      architecture: 'residual-unet3d',
      stages: [
        { features: 2, blocks: 1, stride: 1 },
        { features: 3, blocks: 1 },
      ],
    }),
  ])('go there and back without loss: $architecture', (spec) => {
    const weights = initialWeights(spec, 3);
    const published = toPublishedNames(spec, weights);
    expect(new Set(published.map(({ name }) => name)).size).toBe(weights.length);
    expect(fromPublishedNames(spec, [...published].reverse())).toEqual(weights);
  });

  it('leave book-keeping behind and nothing else', () => {
    const spec = genesis({ width: 1 });
    const published = toPublishedNames(spec, initialWeights(spec, 1));
    const norm = 'module.down_tr64.ops.0.bn1';
    const statistics = [`${norm}.running_mean`, `${norm}.running_var`].map((name) => ({ ...counter(name), shape: [1] }));
    const saved = [...published, ...statistics, counter(`${norm}.num_batches_tracked`)];
    expect(fromPublishedNames(spec, saved)).toEqual(initialWeights(spec, 1));
    expect(() => fromPublishedNames(spec, [...published, counter('module.extra.weight')])).toThrow(/unexpected/);
    expect(() => fromPublishedNames(spec, published.slice(1))).toThrow(/lacks the tensor e1\.0\.weight/);
    expect(() => toPublishedNames(genesis({ width: 2 }), initialWeights(spec, 1))).toThrow(/shape/);
  });

  it('leave nnU-Net’s second names behind', () => {
    const stages = [
      { features: 2, blocks: 1, stride: 1 },
      { features: 3, blocks: 1 },
    ];
    const spec = parse({ architecture: 'residual-unet3d', stages });
    const weights = initialWeights(spec, 1);
    const second = weights.map((tensor) => ({ ...tensor, name: `decoder.encoder.${tensor.name}` }));
    const third = { ...counter('encoder.stem.convs.0.all_modules.0.bias'), shape: [2] };
    expect(fromPublishedNames(spec, [...second, ...weights, third])).toEqual(weights);
  });
});
