/** The parameters of single layers with PyTorch's names, shapes and order; networks are lists of these. */
import type { Initialiser, ParameterSpec } from './parameter-spec.js';

export type Sides = readonly [x: number, y: number, z: number];

/** Channels going in and coming out. */
export type Channels = readonly [input: number, output: number];

/** Draws the weight from the number of inputs to one output element and of outputs that one input element reaches. */
export type WeightRule = (fans: { fanIn: number; fanOut: number }) => Initialiser;

/** PyTorch's default: Kaiming-uniform with a = √5. */
export const kaimingUniform: WeightRule = ({ fanIn }) => ({ kind: 'kaiming-uniform', fanIn });

/** Kaiming-normal by fan-out for ReLU (He et al., ICCV 2015). */
export const kaimingNormalFanOut: WeightRule = ({ fanOut }) => ({ kind: 'normal', deviation: Math.sqrt(2 / fanOut) });

/** Kaiming-normal by fan-in for a leaky ReLU of the given slope. */
export function kaimingNormalLeaky(slope: number): WeightRule {
  return ({ fanIn }) => ({ kind: 'normal', deviation: Math.sqrt(2 / ((1 + slope * slope) * fanIn)) });
}

/** A convolution; `bias` says how its bias starts: as the weight's fan-in says, at zero, or that there is none. */
export interface ConvolutionOptions {
  readonly sides: Sides;
  readonly rule?: WeightRule;
  readonly bias?: 'fan-in' | 'zeros' | 'none';
}

export function convolutionParameters(name: string, [input, output]: Channels, options: ConvolutionOptions): ParameterSpec[] {
  return kernelParameters(name, [output, input], output, options);
}

/** PyTorch counts a transposed convolution's fans as if it were a plain one with the channels exchanged. */
export function transposedParameters(name: string, [input, output]: Channels, options: ConvolutionOptions): ParameterSpec[] {
  return kernelParameters(name, [input, output], output, options);
}

function kernelParameters(name: string, planes: Channels, outputs: number, options: ConvolutionOptions): ParameterSpec[] {
  const { sides, rule = kaimingUniform, bias = 'fan-in' } = options;
  const taps = sides[0] * sides[1] * sides[2];
  const fans = { fanIn: planes[1] * taps, fanOut: planes[0] * taps };
  const weight = trained(`${name}.weight`, [...planes, ...sides], rule(fans));
  if (bias === 'none') return [weight];
  return [weight, trained(`${name}.bias`, [outputs], bias === 'zeros' ? { kind: 'zeros' } : kaimingUniform(fans))];
}

/** Scale and shift of a norm, then its running statistics where it keeps some. */
export function normParameters(
  name: string,
  channels: number,
  { running = false, scale = 'ones' }: { running?: boolean; scale?: 'ones' | 'zeros' } = {},
): ParameterSpec[] {
  const shape = [channels];
  const layer = 'norm';
  const affine: ParameterSpec[] = [
    { ...trained(`${name}.weight`, shape, { kind: scale }), layer },
    { ...trained(`${name}.bias`, shape, { kind: 'zeros' }), layer },
  ];
  if (!running) return affine;
  return [
    ...affine,
    { name: `${name}.running_mean`, shape, initialiser: { kind: 'zeros' }, role: 'statistic', layer },
    { name: `${name}.running_var`, shape, initialiser: { kind: 'ones' }, role: 'statistic', layer },
  ];
}

/** A fully connected layer with bias, PyTorch's default start. */
export function linearParameters(name: string, [input, output]: Channels): ParameterSpec[] {
  const initialiser = kaimingUniform({ fanIn: input, fanOut: output });
  return [trained(`${name}.weight`, [output, input], initialiser), trained(`${name}.bias`, [output], initialiser)];
}

/** The same length along each side. */
export function cube(side: number): Sides {
  return [side, side, side];
}

function trained(name: string, shape: readonly number[], initialiser: Initialiser): ParameterSpec {
  return { name, shape, initialiser, role: 'trained' };
}
