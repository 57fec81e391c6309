import type { Unet3dSpec } from './model-spec.js';

/** How a parameter starts; `fanIn` is PyTorch's (inputs to one output element, weight dimension 1 × kernel volume). */
export type Initialiser =
  { readonly kind: 'kaiming-uniform'; readonly fanIn: number } | { readonly kind: 'ones' } | { readonly kind: 'zeros' };

export interface ParameterSpec {
  readonly name: string;
  /** PyTorch layout: convolution [out, in, d, h, w]; transposed convolution [in, out, d, h, w]; norm and bias [channels]. */
  readonly shape: readonly number[];
  readonly initialiser: Initialiser;
}

/** A run of two convolution units (convolution 3³ → norm → ReLU), named as in a PyTorch Sequential: 0, 1, (2), 3, 4. */
export interface UnitPair {
  readonly name: string;
  readonly channels: readonly [input: number, middle: number, output: number];
}

/**
 * The two-unit blocks of the Models Genesis U-Net in forward order (spec A2): encoder e1…e4, decoder d3…d1.
 * A decoder block's input is the up-sampled tensor first, then the skip.
 */
export function unet3dBlocks(spec: Unet3dSpec): { encoder: readonly UnitPair[]; decoder: readonly UnitPair[] } {
  const w = spec.width;
  return {
    encoder: [
      { name: 'e1', channels: [spec.inputChannels, w, 2 * w] },
      { name: 'e2', channels: [2 * w, 2 * w, 4 * w] },
      { name: 'e3', channels: [4 * w, 4 * w, 8 * w] },
      { name: 'e4', channels: [8 * w, 8 * w, 16 * w] },
    ],
    decoder: [
      { name: 'd3', channels: [24 * w, 8 * w, 8 * w] },
      { name: 'd2', channels: [12 * w, 4 * w, 4 * w] },
      { name: 'd1', channels: [6 * w, 2 * w, 2 * w] },
    ],
  };
}

/** All parameters in PyTorch's registration order: e1…e4, then u3, d3, u2, d2, u1, d1, out. */
export function unet3dParameters(spec: Unet3dSpec): ParameterSpec[] {
  const { encoder, decoder } = unet3dBlocks(spec);
  const parameters = encoder.flatMap(unitPairParameters);
  for (const block of decoder) {
    if (spec.upsampling === 'transposed') parameters.push(...upsamplingParameters(block, spec.width));
    parameters.push(...unitPairParameters(block));
  }
  return [...parameters, ...convolutionParameters('out', 2 * spec.width, spec.outputs, 1)];
}

function unitPairParameters({ name, channels: [input, middle, output] }: UnitPair): ParameterSpec[] {
  return [
    ...convolutionParameters(`${name}.0`, input, middle, 3),
    ...normParameters(`${name}.1`, middle),
    ...convolutionParameters(`${name}.3`, middle, output, 3),
    ...normParameters(`${name}.4`, output),
  ];
}

function convolutionParameters(name: string, input: number, output: number, side: number): ParameterSpec[] {
  const initialiser: Initialiser = { kind: 'kaiming-uniform', fanIn: input * side ** 3 };
  return [
    { name: `${name}.weight`, shape: [output, input, side, side, side], initialiser },
    { name: `${name}.bias`, shape: [output], initialiser },
  ];
}

// The transposed convolution keeps its width: u3 16w → 16w, u2 8w → 8w, u1 4w → 4w.
function upsamplingParameters(block: UnitPair, width: number): ParameterSpec[] {
  const level = Number(block.name.slice(1));
  const channels = width * 2 ** (level + 1);
  const initialiser: Initialiser = { kind: 'kaiming-uniform', fanIn: channels * 8 };
  return [
    { name: `u${level}.weight`, shape: [channels, channels, 2, 2, 2], initialiser },
    { name: `u${level}.bias`, shape: [channels], initialiser },
  ];
}

function normParameters(name: string, channels: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [channels], initialiser: { kind: 'ones' } },
    { name: `${name}.bias`, shape: [channels], initialiser: { kind: 'zeros' } },
  ];
}
