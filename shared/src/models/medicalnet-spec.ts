import { z } from 'zod';
import { groupsField } from './norm-fields.js';

const branchSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'expected 1 to 64 letters, digits, "_" or "-", starting with a letter or digit'),
  outputs: z.int().min(1).max(256).describe("the collection's classes, background included"),
});

/** One collection's decoder in supervised pretraining. */
export type MedicalnetBranch = z.infer<typeof branchSchema>;

// Fields added later are optional without a default: a spec written before them keeps its JSON, and so its digests.
/**
 * The 3D ResNet of MedicalNet (Chen et al., "Med3D", arXiv 1904.00625): output stride 8, dilation 2 and 4 in the last two
 * layers instead of further strides.
 */
export const medicalnetSpecSchema = z.strictObject({
  architecture: z.literal('medicalnet-resnet'),
  depth: z.literal([10, 18, 34, 50, 101, 152, 200]).default(10).describe('layers; from 50 on with bottleneck blocks'),
  shortcut: z
    .enum(['A', 'B'])
    .optional()
    .describe('A pads with zero channels, B convolves; as in the released weights when left out: A for 18 and 34, else B'),
  shortcutGradient: z
    .enum(['stopped', 'passes'])
    .optional()
    .describe('of shortcut A on the way back: stopped, as in the published code, when left out; passes as in He et al.'),
  width: z.int().min(1).max(128).default(64).describe('channels of the first convolution; 64 is the published size'),
  norm: z
    .enum(['batch', 'instance', 'group'])
    .default('batch')
    .describe('batch keeps running averages for predictions, as published; instance suits a federation of differing sites'),
  groups: groupsField,
  inputChannels: z.int().min(1).max(8).default(1),
  head: z
    .enum(['none', 'segmentation', 'raised-segmentation', 'direct-segmentation', 'branches', 'classification'])
    .default('segmentation')
    .describe(
      'segmentation is the published decoder, a quarter of the input along each side; raised-segmentation brings its answer to ' +
        'every voxel; direct-segmentation and branches are one 1³ convolution each, raised to every voxel; none gives the last features',
    ),
  outputs: z.int().min(1).max(4096).default(2).describe('classes; without a head, and with branches, it has no meaning'),
  branches: z.array(branchSchema).min(1).max(64).optional().describe('of the head "branches", one for each labelled collection'),
});
export type MedicalnetSpec = z.infer<typeof medicalnetSpecSchema>;

/** The forms that answer for every voxel of their input, as segmenting needs. */
export const VOXEL_HEADS = ['raised-segmentation', 'direct-segmentation'] as const;
export type MedicalnetVoxelSpec = MedicalnetSpec & { readonly head: (typeof VOXEL_HEADS)[number] };

/** Beginning of the names of a branch's parameters. */
export function branchPrefix({ name }: Pick<MedicalnetBranch, 'name'>): string {
  return `branches.${name}.`;
}

const encoderSchema = medicalnetSpecSchema.omit({ branches: true }).strip();

/** The same encoder under another head; the branches are dropped. */
export function withMedicalnetHead<Head extends Exclude<MedicalnetSpec['head'], 'branches'>>(
  spec: MedicalnetSpec,
  head: Head,
  outputs: number,
): MedicalnetSpec & { readonly head: Head } {
  return { ...encoderSchema.parse(spec), head, outputs };
}

/** The same encoder with one branch for each labelled collection. */
export function withBranches(spec: MedicalnetSpec, branches: readonly MedicalnetBranch[]): MedicalnetSpec {
  return { ...spec, head: 'branches', branches: [...branches] };
}

interface Depth {
  readonly block: 'basic' | 'bottleneck';
  readonly blocks: readonly [number, number, number, number];
  readonly shortcut: 'A' | 'B';
}

const DEPTHS: Readonly<Record<MedicalnetSpec['depth'], Depth>> = {
  10: { block: 'basic', blocks: [1, 1, 1, 1], shortcut: 'B' },
  18: { block: 'basic', blocks: [2, 2, 2, 2], shortcut: 'A' },
  34: { block: 'basic', blocks: [3, 4, 6, 3], shortcut: 'A' },
  50: { block: 'bottleneck', blocks: [3, 4, 6, 3], shortcut: 'B' },
  101: { block: 'bottleneck', blocks: [3, 4, 23, 3], shortcut: 'B' },
  152: { block: 'bottleneck', blocks: [3, 8, 36, 3], shortcut: 'B' },
  200: { block: 'bottleneck', blocks: [3, 24, 36, 3], shortcut: 'B' },
};

/** Stride of the first block and dilation of every block, layer by layer. */
const LAYERS = [
  { stride: 1, dilation: 1 },
  { stride: 2, dilation: 1 },
  { stride: 1, dilation: 2 },
  { stride: 1, dilation: 4 },
] as const;

/** Voxels of the input per voxel of the last features, along each side. */
export const MEDICALNET_OUTPUT_STRIDE = 8;

const BOTTLENECK_EXPANSION = 4;

/** One residual block as the builder and the parameter list need it. */
export interface ResidualBlock {
  /** For example layer2.0. */
  readonly name: string;
  readonly kind: 'basic' | 'bottleneck';
  readonly input: number;
  readonly middle: number;
  readonly output: number;
  readonly stride: 1 | 2;
  readonly dilation: 1 | 2 | 4;
  readonly shortcut: 'identity' | 'padded' | 'convolved';
  /** False: the shortcut gives its input no gradient. */
  readonly shortcutLearns: boolean;
}

/** All residual blocks in forward order. */
export function medicalnetBlocks(spec: MedicalnetSpec): ResidualBlock[] {
  const { block: kind, blocks, shortcut } = DEPTHS[spec.depth];
  const changed = (spec.shortcut ?? shortcut) === 'A' ? 'padded' : 'convolved';
  const list: ResidualBlock[] = [];
  let input = spec.width;
  for (const [layer, { stride, dilation }] of LAYERS.entries()) {
    const middle = spec.width * 2 ** layer;
    const output = kind === 'bottleneck' ? BOTTLENECK_EXPANSION * middle : middle;
    for (let index = 0; index < (blocks[layer] ?? 0); index++) {
      const first = index === 0 ? stride : 1;
      const same = first === 1 && input === output;
      const shape = { kind, input, middle, output, stride: first, dilation };
      const taken = same ? 'identity' : changed;
      const shortcutLearns = taken !== 'padded' || spec.shortcutGradient === 'passes';
      list.push({ name: `layer${layer + 1}.${index}`, ...shape, shortcut: taken, shortcutLearns });
      input = output;
    }
  }
  return list;
}

/** Channels of the last layer: 512 or 2048 at the published width. */
export function medicalnetFeatures({ depth, width }: MedicalnetSpec): number {
  return 8 * width * (DEPTHS[depth].block === 'bottleneck' ? BOTTLENECK_EXPANSION : 1);
}

/** Channels within the segmentation head: 32 at the published width. */
export function medicalnetHeadWidth({ width }: MedicalnetSpec): number {
  return Math.max(1, Math.floor(width / 2));
}
