import { z } from 'zod';
import type { Sides } from './layer-parameters.js';
import { groupsField } from './norm-fields.js';

const strideSide = z.int().min(1).max(4);
const kernelSide = z.literal([1, 3, 5]);

const stageSchema = z.strictObject({
  features: z.int().min(1).max(1024).describe('channels of the stage'),
  blocks: z.int().min(1).max(32).describe('residual blocks'),
  stride: z
    .union([strideSide, z.tuple([strideSide, strideSide, strideSide])])
    .default(2)
    .describe('of the first block, one number or one per side; the first stage has 1'),
  kernel: z
    .union([kernelSide, z.tuple([kernelSide, kernelSide, kernelSide])])
    .default(3)
    .describe('one number or one per side'),
});

const DEFAULT_STAGES = [
  { features: 32, blocks: 1, stride: 1, kernel: 3 },
  { features: 64, blocks: 3, stride: 2, kernel: 3 },
  { features: 128, blocks: 4, stride: 2, kernel: 3 },
  { features: 256, blocks: 6, stride: 2, kernel: 3 },
  { features: 320, blocks: 6, stride: 2, kernel: 3 },
  { features: 320, blocks: 6, stride: 2, kernel: 3 },
] as const;

/**
 * The residual-encoder U-Net of nnU-Net (Isensee et al., "nnU-Net Revisited", MICCAI 2024; blocks after He et al., "Bag of
 * tricks", CVPR 2019): a stem, stages of residual blocks, one convolution per decoder stage, leaky ReLU of slope 0.01.
 */
export const residualUnet3dSpecSchema = z.strictObject({
  architecture: z.literal('residual-unet3d'),
  stages: z
    .array(stageSchema)
    .min(2)
    .max(8)
    .refine(([first]) => first === undefined || sidesOf(first.stride).every((side) => side === 1), {
      message: 'the first stage keeps the resolution: its stride is 1',
    })
    .default(DEFAULT_STAGES.map((stage) => ({ ...stage })))
    .describe('from full resolution to the bottleneck'),
  norm: z
    .enum(['batch', 'instance', 'group'])
    .default('instance')
    .describe('instance as published; batch keeps running averages for predictions'),
  groups: groupsField,
  inputChannels: z.int().min(1).max(8).default(1),
  outputs: z.int().min(1).max(128).default(1).describe('channels of the last convolution'),
});
export type ResidualUnet3dSpec = z.infer<typeof residualUnet3dSpecSchema>;

/** Slope of every leaky ReLU. */
export const RESIDUAL_UNET3D_SLOPE = 0.01;

/** A residual block of the encoder: two convolutions, and beside them what the shortcut needs to fit. */
export interface EncoderBlock {
  /** For example encoder.stages.1.blocks.0. */
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly kernel: Sides;
  readonly stride: Sides;
  /** The shortcut is average-pooled by the stride. */
  readonly pooled: boolean;
  /** Name of the shortcut's 1³ convolution and norm; undefined when the channels stay. */
  readonly projection: string | undefined;
}

/** A stage of the decoder: transposed convolution, then one convolution over [raised, skip]. */
export interface DecoderStage {
  readonly transposed: string;
  readonly unit: string;
  /** Its 1³ convolution to the outputs; only the last stage's is used without deep supervision. */
  readonly output: string;
  readonly input: number;
  readonly channels: number;
  readonly stride: Sides;
  readonly kernel: Sides;
}

export interface ResidualUnet3dPlan {
  readonly stem: { readonly name: string; readonly kernel: Sides; readonly channels: number };
  /** Stage by stage. */
  readonly encoder: readonly (readonly EncoderBlock[])[];
  /** From the bottleneck up. */
  readonly decoder: readonly DecoderStage[];
}

/** The network of a spec, layer by layer, with the names of the published package. */
export function residualUnet3dPlan(spec: ResidualUnet3dSpec): ResidualUnet3dPlan {
  const stages = spec.stages.map(({ features, blocks, stride, kernel }) => {
    return { channels: features, blocks, stride: sidesOf(stride), kernel: sidesOf(kernel) };
  });
  const [first] = stages;
  const stem = { name: 'encoder.stem.convs.0', kernel: first?.kernel ?? sidesOf(3), channels: first?.channels ?? 0 };
  const encoder = stages.map((stage, index) => encoderBlocks(stage, index, stages[index - 1]?.channels ?? stem.channels));
  const decoder = stages.slice(0, -1).map((_, index): DecoderStage => {
    const below = stages[stages.length - 1 - index] as Stage;
    const { channels, kernel } = stages[stages.length - 2 - index] as Stage;
    return {
      transposed: `decoder.transpconvs.${index}`,
      unit: `decoder.stages.${index}.convs.0`,
      output: `decoder.seg_layers.${index}`,
      input: below.channels,
      channels,
      stride: below.stride,
      kernel,
    };
  });
  return { stem, encoder, decoder };
}

interface Stage {
  readonly channels: number;
  readonly blocks: number;
  readonly stride: Sides;
  readonly kernel: Sides;
}

function encoderBlocks({ channels, blocks, stride, kernel }: Stage, stage: number, input: number): EncoderBlock[] {
  return Array.from({ length: blocks }, (_, index) => {
    const name = `encoder.stages.${stage}.blocks.${index}`;
    const [from, steps] = index === 0 ? [input, stride] : [channels, sidesOf(1)];
    const pooled = steps.some((side) => side !== 1);
    const projection = from === channels ? undefined : `${name}.skip.${pooled ? 1 : 0}`;
    return { name, input: from, output: channels, kernel, stride: steps, pooled, projection };
  });
}

function sidesOf(value: number | readonly [number, number, number]): Sides {
  return typeof value === 'number' ? [value, value, value] : value;
}

/** Each side of an input patch must be a multiple of the strides' product along it. */
export function residualUnet3dSideMultiples(spec: ResidualUnet3dSpec): Sides {
  const strides = spec.stages.map(({ stride }) => sidesOf(stride));
  const along = (side: 0 | 1 | 2): number => strides.reduce((product, stride) => product * stride[side], 1);
  return [along(0), along(1), along(2)];
}
