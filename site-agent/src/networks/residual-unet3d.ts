/**
 * The residual-encoder U-Net of nnU-Net (Isensee et al., "nnU-Net Revisited", MICCAI 2024): residual blocks after He et al.,
 * "Bag of tricks", CVPR 2019 (the shortcut is average-pooled, then projected), one convolution per decoder stage.
 */
import {
  cube,
  type DecoderStage,
  type EncoderBlock,
  RESIDUAL_UNET3D_SLOPE,
  type ResidualUnet3dPlan,
  residualUnet3dPlan,
  type ResidualUnet3dSpec,
  sideMultiplesOf,
  type Sides,
} from '@consilium/shared/models';
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { add } from '../engine/ops/addition.js';
import { averagePool } from '../engine/ops/average-pooling.js';
import { fork } from '../engine/ops/fork.js';
import { leakyRectify } from '../engine/ops/rectify.js';
import { biased, biasedForNorm, convolution, type NetworkPass, normalised, normalisedLeaky, raised } from './network-pass.js';
import type { Network } from './network.js';
import { hidesBias, keepsExamplesApart, type NormPlan } from './norm-plan.js';

export function buildResidualUnet3d(spec: ResidualUnet3dSpec): Network {
  const plan = residualUnet3dPlan(spec);
  const norm = { choice: spec, running: spec.norm === 'batch' };
  const last = plan.decoder[plan.decoder.length - 1];
  invariant(last !== undefined, 'a U-Net has at least two stages');
  return {
    idleParameters: idleParameters(plan, last, norm),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: spec.inputChannels,
    outputs: spec.outputs,
    outputSides: (sides) => sides,
    forward(tape, parameters, input) {
      const pass = { tape, parameters, norm };
      const raised = decode(pass, plan, encode(pass, plan, input));
      return tape.scope(last.output, () => biased(pass, last.output, convolution(pass, last.output, raised)));
    },
  };
}

/** Output layers that only deep supervision reads, and biases that the norms take away again. */
function idleParameters(plan: ResidualUnet3dPlan, last: DecoderStage, norm: NormPlan): Set<string> {
  const supervised = plan.decoder
    .filter((stage) => stage !== last)
    .flatMap(({ output }) => [`${output}.weight`, `${output}.bias`]);
  const blocks = plan.encoder.flat().flatMap(({ name }) => [`${name}.conv1`, `${name}.conv2`]);
  const units = [plan.stem.name, ...blocks, ...plan.decoder.map(({ unit }) => unit)];
  return new Set([...supervised, ...(hidesBias(norm) ? units.map((unit) => `${unit}.conv.bias`) : [])]);
}

/** The output of every stage, the bottleneck's last. */
function encode(pass: NetworkPass, { stem, encoder }: ResidualUnet3dPlan, input: Activation): Activation[] {
  const outputs: Activation[] = [];
  let current = pass.tape.block(stem.name, [input], (tape, read) => activeUnit({ ...pass, tape }, stem.name, read));
  for (const [stage, blocks] of encoder.entries()) {
    for (const block of blocks) current = residualBlock(pass, block, current);
    if (stage === encoder.length - 1) outputs.push(current);
    else {
      outputs.push(current.keep());
      current = fork(pass.tape, current); // the next block reads it twice
    }
  }
  return outputs;
}

function decode(pass: NetworkPass, { decoder }: ResidualUnet3dPlan, outputs: Activation[]): Activation {
  const bottleneck = outputs.pop();
  invariant(bottleneck !== undefined, 'the encoder has an output');
  return decoder.reduce((below, { transposed: raiser, unit }) => {
    const skip = outputs.pop();
    invariant(skip !== undefined, 'each decoder stage has a skip');
    const above = pass.tape.scope(raiser, () => raised(pass, raiser, below));
    return pass.tape.block(unit, [above, skip], (tape, read) => activeUnit({ ...pass, tape }, unit, read));
  }, bottleneck);
}

function residualBlock(pass: NetworkPass, block: EncoderBlock, input: Activation): Activation {
  const { name, stride } = block;
  return pass.tape.block(name, [input], (tape, [read]) => {
    const inner = { ...pass, tape };
    const main = read as Activation;
    const shortcut = shortcutOf(inner, block, main.keep());
    const first = activeUnit(inner, `${name}.conv1`, main, stride);
    const second = convolvedUnit(inner, `${name}.conv2`, first, cube(1));
    const sum = add(tape, normalised(inner, `${name}.conv2.norm`, second), shortcut);
    return leakyRectify(tape, sum, RESIDUAL_UNET3D_SLOPE);
  });
}

function shortcutOf(pass: NetworkPass, { pooled, projection, stride }: EncoderBlock, input: Activation): Activation {
  const thinned = pooled ? averagePool(pass.tape, input, { kernel: stride }) : input;
  if (projection === undefined) return thinned;
  return normalised(pass, `${projection}.norm`, convolution(pass, `${projection}.conv`, thinned));
}

/** Convolution, norm, leaky ReLU. */
function activeUnit(
  pass: NetworkPass,
  name: string,
  input: Activation | readonly Activation[],
  stride: Sides = cube(1),
): Activation {
  return normalisedLeaky(pass, `${name}.norm`, convolvedUnit(pass, name, input, stride), RESIDUAL_UNET3D_SLOPE);
}

function convolvedUnit(pass: NetworkPass, name: string, input: Activation | readonly Activation[], stride: Sides): Activation {
  return biasedForNorm(pass, `${name}.conv`, convolution(pass, `${name}.conv`, input, { stride }));
}
