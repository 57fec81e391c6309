/**
 * Names of the published PyTorch checkpoints beside ours: Genesis_Chest_CT.pt of Models Genesis (saved from DataParallel, hence
 * "module."), resnet_*.pth of MedicalNet, and the network of nnU-Net's dynamic-network-architectures, whose names are ours.
 */
import { requireSameTensors, type WeightSet } from '@consilium/shared/weights';
import { manifestOf, parametersOf } from './manifest-of.js';
import type { ModelSpec } from './model-spec.js';

/** Our name → the published one, for every parameter of the spec in our order; no two share a name. */
export function publishedNames(spec: ModelSpec): ReadonlyMap<string, string> {
  return new Map(parametersOf(spec).map(({ name }) => [name, publishedNameOf(spec, name)]));
}

/** The same values under the published names. */
export function toPublishedNames(spec: ModelSpec, weights: WeightSet): WeightSet {
  const published = publishedNames(spec);
  requireSameTensors(manifestOf(spec), weights, 'the model');
  return weights.map((tensor) => ({ ...tensor, name: published.get(tensor.name) ?? tensor.name }));
}

/**
 * The tensors of a published checkpoint under our names and in our order. Book-keeping that the spec has no use for is left
 * behind: batch counters, running statistics where the spec always uses the batch's own, and nnU-Net's second names for the
 * same tensors. MANIFEST_MISMATCH when something else is missing, extra or of another shape.
 */
export function fromPublishedNames(spec: ModelSpec, checkpoint: WeightSet): WeightSet {
  const own = new Map([...publishedNames(spec)].map(([name, published]) => [published, name]));
  const renamed = checkpoint
    .filter(({ name }) => own.has(name) || !isBookKeeping(name))
    .map((tensor) => ({ ...tensor, name: own.get(tensor.name) ?? tensor.name }));
  const manifest = manifestOf(spec);
  requireSameTensors(manifest, renamed, 'the published model');
  const byName = new Map(renamed.map((tensor) => [tensor.name, tensor]));
  return manifest.tensors.flatMap(({ name }) => byName.get(name) ?? []);
}

function isBookKeeping(name: string): boolean {
  if (name.startsWith('decoder.encoder.') || name.includes('.all_modules.')) return true;
  return /\.(running_mean|running_var|num_batches_tracked)$/.test(name);
}

function publishedNameOf({ architecture }: ModelSpec, name: string): string {
  switch (architecture) {
    case 'genesis-unet3d':
    case 'genesis-classifier':
    case 'universal-model':
      return genesisName(name);
    case 'medicalnet-resnet':
      return `module.${name}`;
    case 'residual-unet3d':
      return name;
  }
}

const GENESIS_BLOCKS: ReadonlyMap<string, string> = new Map([
  ['e1', 'down_tr64'],
  ['e2', 'down_tr128'],
  ['e3', 'down_tr256'],
  ['e4', 'down_tr512'],
  ['d3', 'up_tr256'],
  ['d2', 'up_tr128'],
  ['d1', 'up_tr64'],
]);

/** Places in a unit pair: convolution 0, norm 1, convolution 3, norm 4. */
const GENESIS_UNITS: ReadonlyMap<string, string> = new Map([
  ['0', 'ops.0.conv1'],
  ['1', 'ops.0.bn1'],
  ['3', 'ops.1.conv1'],
  ['4', 'ops.1.bn1'],
]);

// e1.0.weight → module.down_tr64.ops.0.conv1.weight; u3.bias → module.up_tr256.up_conv.bias. A classifier's head is not
// published: it keeps its name.
function genesisName(name: string): string {
  const [block = '', ...rest] = name.split('.');
  if (block === 'out') return `module.out_tr.final_conv.${rest.join('.')}`;
  const raising = /^u(\d)$/.exec(block)?.[1];
  if (raising !== undefined) return `module.${GENESIS_BLOCKS.get(`d${raising}`)}.up_conv.${rest.join('.')}`;
  const [place = '', ...field] = rest;
  const [published, unit] = [GENESIS_BLOCKS.get(block), GENESIS_UNITS.get(place)];
  return published === undefined || unit === undefined ? name : `module.${published}.${unit}.${field.join('.')}`;
}
