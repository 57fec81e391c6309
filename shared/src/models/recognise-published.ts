/** Which network a published checkpoint is of, told from the names and shapes of its tensors alone. */
import { medicalnetBlocks, medicalnetSpecSchema } from './medicalnet-spec.js';
import { type ModelSpec, modelSpecSchema } from './model-spec.js';
import { parametersOf } from './manifest-of.js';
import { publishedNames } from './published-names.js';

interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

export type PublishedArchitecture = 'genesis-unet3d' | 'medicalnet-resnet';

/** A published name without what DataParallel and compiling put before it. */
export function bareName(name: string): string {
  return name.replace(/^(module\.|_orig_mod\.)+/, '');
}

/** Which tensors of a checkpoint a network takes, and which have no place in it. */
export interface PublishedMatch {
  /** Our name → the checkpoint's. */
  readonly taken: ReadonlyMap<string, string>;
  readonly missing: readonly string[];
  readonly leftBehind: readonly string[];
}

/** Finds each parameter of the spec among the names, under its published name or under ours, with or without `module.`. */
export function matchPublished(spec: ModelSpec, names: Iterable<string>): PublishedMatch {
  const byBareName = new Map([...names].map((name) => [bareName(name), name]));
  const published = publishedNames(spec);
  const taken = new Map<string, string>();
  const missing: string[] = [];
  for (const { name } of parametersOf(spec)) {
    const found = byBareName.get(bareName(published.get(name) ?? name)) ?? byBareName.get(name);
    if (found === undefined) missing.push(name);
    else taken.set(name, found);
  }
  const used = new Set(taken.values());
  return { taken, missing, leftBehind: [...byBareName.values()].filter((name) => !used.has(name)) };
}

/**
 * The spec of a Models Genesis or MedicalNet checkpoint: width, inputs and outputs from the shapes, MedicalNet's depth and shortcut
 * from which blocks there are. Undefined when the tensors are of neither. A MedicalNet encoder without its decoder has no head.
 */
export function recognisePublished(tensors: readonly NamedShape[]): ModelSpec | undefined {
  const shapes = new Map(tensors.map(({ name, shape }) => [bareName(name), shape]));
  return genesisSpec(shapes) ?? medicalnetSpec(shapes);
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** The norm uses the statistics of the batch at hand, as the published module does even when it predicts (spec A2). */
function genesisSpec(shapes: Shapes): ModelSpec | undefined {
  const [width, inputChannels] = shapes.get('down_tr64.ops.0.conv1.weight') ?? [];
  const outputs = shapes.get('out_tr.final_conv.weight')?.[0];
  if (width === undefined || outputs === undefined) return undefined;
  const upsampling = shapes.has('up_tr64.up_conv.weight') ? 'transposed' : 'nearest';
  return modelSpecSchema.safeParse({ architecture: 'genesis-unet3d', norm: 'batch', width, inputChannels, outputs, upsampling })
    .data;
}

function medicalnetSpec(shapes: Shapes): ModelSpec | undefined {
  const [width, inputChannels] = shapes.get('conv1.weight') ?? [];
  if (width === undefined || !shapes.has('layer4.0.conv2.weight')) return undefined;
  const blocks = [...shapes.keys()].flatMap((name) => /^(layer[1-4]\.\d+)\.conv1\.weight$/.exec(name)?.[1] ?? []);
  const depth = DEPTH_BY_BLOCKS.get(blockPattern(shapes.has('layer1.0.conv3.weight') ? 'bottleneck' : 'basic', blocks));
  const shortcut = [...shapes.keys()].some((name) => name.includes('.downsample.')) ? 'B' : 'A';
  const head = headOf(shapes);
  if (depth === undefined) return undefined;
  return modelSpecSchema.safeParse({ architecture: 'medicalnet-resnet', depth, shortcut, width, inputChannels, ...head }).data;
}

/** "kind: blocks of each layer" → depth, as the network itself is built. */
const DEPTH_BY_BLOCKS = new Map(
  [...medicalnetSpecSchema.shape.depth.unwrap().values].map((depth) => {
    const blocks = medicalnetBlocks(medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', depth }));
    return [
      blockPattern(
        blocks[0]?.kind ?? '',
        blocks.map(({ name }) => name),
      ),
      depth,
    ];
  }),
);

function blockPattern(kind: string, names: readonly string[]): string {
  return `${kind}: ${[1, 2, 3, 4].map((layer) => names.filter((name) => name.startsWith(`layer${layer}.`)).length).join(', ')}`;
}

function headOf(shapes: Shapes): { head: 'none' | 'segmentation' | 'classification'; outputs?: number | undefined } {
  const voxels = shapes.get('conv_seg.6.weight')?.[0];
  if (voxels !== undefined) return { head: 'segmentation', outputs: voxels };
  const classes = shapes.get('fc.weight')?.[0];
  return classes === undefined ? { head: 'none' } : { head: 'classification', outputs: classes };
}
