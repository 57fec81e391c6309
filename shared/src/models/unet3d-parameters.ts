import {
  type Channels,
  convolutionParameters as kernelParameters,
  cube,
  normParameters,
  transposedParameters,
} from './layer-parameters.js';
import { headParameters, type PooledHead } from './pooled-head.js';
import type { ParameterSpec } from './parameter-spec.js';
import type { GenesisClassifierSpec, Unet3dSpec } from './unet3d-spec.js';

/** A run of two convolution units (convolution 3³ → norm → ReLU), named as in a PyTorch Sequential: 0, 1, (2), 3, 4. */
export interface UnitPair {
  readonly name: string;
  readonly channels: readonly [input: number, middle: number, output: number];
}

/** What the encoder needs to know of either spec. */
export type Unet3dEncoderSpec = Pick<Unet3dSpec, 'width' | 'norm' | 'groups' | 'batchStatistics' | 'inputChannels'>;

/** The encoder blocks e1…e4 of the Models Genesis U-Net in forward order (spec A2). */
export function unet3dEncoder({ width: w, inputChannels }: Unet3dEncoderSpec): readonly UnitPair[] {
  return [
    { name: 'e1', channels: [inputChannels, w, 2 * w] },
    { name: 'e2', channels: [2 * w, 2 * w, 4 * w] },
    { name: 'e3', channels: [4 * w, 4 * w, 8 * w] },
    { name: 'e4', channels: [8 * w, 8 * w, 16 * w] },
  ];
}

/**
 * The two-unit blocks of the Models Genesis U-Net in forward order (spec A2): encoder e1…e4, decoder d3…d1.
 * A decoder block's input is the up-sampled tensor first, then the skip.
 */
export function unet3dBlocks(spec: Unet3dSpec): { encoder: readonly UnitPair[]; decoder: readonly UnitPair[] } {
  const w = spec.width;
  return {
    encoder: unet3dEncoder(spec),
    decoder: [
      { name: 'd3', channels: [24 * w, 8 * w, 8 * w] },
      { name: 'd2', channels: [12 * w, 4 * w, 4 * w] },
      { name: 'd1', channels: [6 * w, 2 * w, 2 * w] },
    ],
  };
}

/** True when the norms keep running averages for predictions. */
export function unet3dKeepsStatistics({ norm, batchStatistics }: Unet3dEncoderSpec): boolean {
  return norm === 'batch' && batchStatistics === 'training';
}

/** All parameters in PyTorch's registration order: e1…e4, then u3, d3, u2, d2, u1, d1, out. */
export function unet3dParameters(spec: Unet3dSpec): ParameterSpec[] {
  const { encoder, decoder } = unet3dBlocks(spec);
  const running = unet3dKeepsStatistics(spec);
  const parameters = encoder.flatMap((block) => unitPairParameters(block, running));
  for (const block of decoder) {
    if (spec.upsampling === 'transposed') parameters.push(...upsamplingParameters(block, spec.width));
    parameters.push(...unitPairParameters(block, running));
  }
  return [...parameters, ...convolutionParameters('out', [2 * spec.width, spec.outputs], 1)];
}

/** The encoder's parameters, then the head's. */
export function genesisClassifierParameters(spec: GenesisClassifierSpec): ParameterSpec[] {
  const running = unet3dKeepsStatistics(spec);
  const encoder = unet3dEncoder(spec).flatMap((block) => unitPairParameters(block, running));
  return [...encoder, ...headParameters(genesisClassifierHead(spec))];
}

/** Global average of the bottleneck → hidden layer → classes (spec A7). */
export function genesisClassifierHead({ width, hiddenFeatures, outputs }: GenesisClassifierSpec): PooledHead {
  return { name: 'head', features: 16 * width, hiddenFeatures, outputs };
}

function unitPairParameters({ name, channels: [input, middle, output] }: UnitPair, running: boolean): ParameterSpec[] {
  return [
    ...convolutionParameters(`${name}.0`, [input, middle], 3),
    ...normParameters(`${name}.1`, middle, { running }),
    ...convolutionParameters(`${name}.3`, [middle, output], 3),
    ...normParameters(`${name}.4`, output, { running }),
  ];
}

function convolutionParameters(name: string, channels: Channels, side: number): ParameterSpec[] {
  return kernelParameters(name, channels, { sides: cube(side) });
}

// The transposed convolution keeps its width: u3 16w → 16w, u2 8w → 8w, u1 4w → 4w.
function upsamplingParameters(block: UnitPair, width: number): ParameterSpec[] {
  const level = Number(block.name.slice(1));
  const channels = width * 2 ** (level + 1);
  return transposedParameters(`u${level}`, [channels, channels], { sides: cube(2) });
}
