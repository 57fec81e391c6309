/**
 * The 3D ResNet of MedicalNet (Chen et al., "Med3D", arXiv 1904.00625; residual blocks after He et al., CVPR 2016): output
 * stride 8, dilated instead of strided in the last two layers, with its demonstration decoder, a classifier, or one branch for
 * each labelled collection (section "multi-branch decoder").
 */
import { invariant } from '@consilium/shared/kernel';
import {
  MEDICALNET_OUTPUT_STRIDE,
  medicalnetBlocks,
  type MedicalnetBranch,
  medicalnetFeatures,
  type MedicalnetSpec,
  type ResidualBlock,
  sideMultiplesOf,
  type Sides,
} from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import { add } from '../engine/ops/addition.js';
import { averagePool, globalAveragePool } from '../engine/ops/average-pooling.js';
import { padChannels } from '../engine/ops/channel-padding.js';
import { concatenateChannels } from '../engine/ops/concatenation.js';
import { detach } from '../engine/ops/detach.js';
import { maxPool } from '../engine/ops/max-pooling.js';
import { rectify } from '../engine/ops/rectify.js';
import { upsampleTrilinear } from '../engine/ops/trilinear-upsampling.js';
import {
  biased,
  biasedForNorm,
  connected,
  convolution,
  type NetworkPass,
  normalised,
  normalisedRectified,
  transposed,
} from './network-pass.js';
import type { Network } from './network.js';
import { hidesBias, keepsExamplesApart } from './norm-plan.js';

/** With branches, all of them answer, side by side along the channels in the spec's order. */
export function buildResnet3d(spec: MedicalnetSpec): Network {
  return networkOf(spec, outputsOf(spec), (pass, features, sides) => answer(pass, spec, features, sides));
}

function outputsOf(spec: MedicalnetSpec): number {
  if (spec.head === 'none') return medicalnetFeatures(spec);
  if (spec.head !== 'branches') return spec.outputs;
  return (spec.branches ?? []).reduce((sum, { outputs }) => sum + outputs, 0);
}

/** The encoder and one of its branches; the other branches' parameters are neither read nor given a gradient. */
export function buildBranch(spec: MedicalnetSpec, { name, outputs }: MedicalnetBranch): Network {
  const branch = `branches.${name}`;
  return networkOf(spec, outputs, (pass, features, sides) => raisedTo(pass, classConvolution(pass, branch, features), sides));
}

type Answer = (pass: NetworkPass, features: Activation, sides: Sides) => Activation;

function networkOf(spec: MedicalnetSpec, outputs: number, answerWith: Answer): Network {
  const blocks = medicalnetBlocks(spec);
  const norm = { choice: spec, running: spec.norm === 'batch' };
  return {
    idleParameters: new Set(hasDecoder(spec) && hidesBias(norm) ? ['conv_seg.0.bias'] : []),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: spec.inputChannels,
    outputs,
    outputSides: (sides) => answerSides(spec.head, sides),
    forward(tape, parameters, input) {
      const pass = { tape, parameters, norm };
      const sides = input.shape.slice(1, 4) as unknown as Sides;
      let current = stem(pass, input);
      for (const block of blocks) current = residualBlock(pass, block, current);
      return answerWith(pass, current, sides);
    },
  };
}

function hasDecoder({ head }: MedicalnetSpec): boolean {
  return head === 'segmentation' || head === 'raised-segmentation';
}

function answerSides(head: MedicalnetSpec['head'], sides: Sides): Sides | undefined {
  switch (head) {
    case 'classification':
      return undefined;
    case 'none':
    case 'segmentation': {
      const [x, y, z] = sides.map((side) => Math.ceil(side / MEDICALNET_OUTPUT_STRIDE) * (head === 'none' ? 1 : 2));
      invariant(x !== undefined && y !== undefined && z !== undefined, 'there are three sides');
      return [x, y, z];
    }
    case 'raised-segmentation':
    case 'direct-segmentation':
    case 'branches':
      return sides;
  }
}

function stem(pass: NetworkPass, input: Activation): Activation {
  const { tape } = pass;
  const convolved = tape.scope('conv1', () => convolution(pass, 'conv1', input, { stride: 2 }));
  const rectified = tape.scope('bn1', () => normalisedRectified(pass, 'bn1', convolved));
  return tape.scope('maxpool', () => maxPool(tape, rectified, { kernel: 3, stride: 2, padding: 1 }));
}

function residualBlock(pass: NetworkPass, block: ResidualBlock, input: Activation): Activation {
  return pass.tape.block(block.name, [input], (tape, [read]) => {
    const inner = { ...pass, tape };
    const main = read as Activation;
    const shortcut = shortcutOf(inner, block, main.keep());
    return rectify(tape, add(tape, mainPath(inner, block, main), shortcut));
  });
}

/** Convolutions and norms up to the sum; the last norm is not rectified yet. */
function mainPath(pass: NetworkPass, { name, kind, stride, dilation }: ResidualBlock, input: Activation): Activation {
  const plain = {};
  const spread = { stride, dilation };
  const steps = kind === 'basic' ? [spread, { dilation }] : [plain, spread, plain];
  return steps.reduce((current: Activation, options, index) => {
    const place = index + 1;
    const convolved = pass.tape.scope(`conv${place}`, () => convolution(pass, `${name}.conv${place}`, current, options));
    const norm = place === steps.length ? normalised : normalisedRectified;
    return pass.tape.scope(`bn${place}`, () => norm(pass, `${name}.bn${place}`, convolved));
  }, input);
}

/**
 * The input as it is, convolved, or (type A) every second voxel with channels of zeros added. The published code builds type A
 * from a tensor cut off from its gradient: so does this, unless the spec says that it passes. The forward pass is the same.
 */
function shortcutOf(pass: NetworkPass, block: ResidualBlock, from: Activation): Activation {
  const { tape } = pass;
  const { name, shortcut, stride, input, output } = block;
  if (shortcut === 'identity') return from;
  const read = block.shortcutLearns ? from : detach(tape, from);
  return tape.scope('downsample', () => {
    if (shortcut === 'convolved') {
      const convolved = convolution(pass, `${name}.downsample.0`, read, { stride });
      return normalised(pass, `${name}.downsample.1`, convolved);
    }
    const thinned = stride === 1 ? read : averagePool(tape, read, { kernel: 1, stride });
    return output === input ? thinned : padChannels(tape, thinned, output - input);
  });
}

function answer(pass: NetworkPass, { head, branches = [] }: MedicalnetSpec, features: Activation, sides: Sides): Activation {
  const { tape } = pass;
  switch (head) {
    case 'none':
      return features;
    case 'classification':
      return tape.scope('fc', () => connected(pass, 'fc', globalAveragePool(tape, features)));
    case 'segmentation':
      return decoded(pass, features);
    case 'raised-segmentation':
      return raisedTo(pass, decoded(pass, features), sides);
    case 'direct-segmentation':
      return raisedTo(pass, classConvolution(pass, 'direct', features), sides);
    case 'branches':
      return raisedTo(pass, allBranches(pass, branches, features), sides);
  }
}

/** The published decoder: a quarter of the input along each side. */
function decoded(pass: NetworkPass, features: Activation): Activation {
  return pass.tape.scope('conv_seg', () => {
    const raised = biasedForNorm(pass, 'conv_seg.0', transposed(pass, 'conv_seg.0', features));
    const first = normalisedRectified(pass, 'conv_seg.1', raised);
    const second = normalisedRectified(pass, 'conv_seg.4', convolution(pass, 'conv_seg.3', first));
    return convolution(pass, 'conv_seg.6', second);
  });
}

function allBranches(pass: NetworkPass, branches: readonly MedicalnetBranch[], features: Activation): Activation {
  const answers = branches.map(({ name }, index) => {
    const read = index < branches.length - 1 ? features.keep() : features;
    return classConvolution(pass, `branches.${name}`, read);
  });
  return answers.reduce((joined, next) => concatenateChannels(pass.tape, joined, next));
}

function classConvolution(pass: NetworkPass, name: string, features: Activation): Activation {
  return pass.tape.scope(name, () => biased(pass, name, convolution(pass, name, features)));
}

/** To every voxel of the input, as PyTorch's trilinear interpolation to a size. */
function raisedTo({ tape }: NetworkPass, classes: Activation, sides: Sides): Activation {
  return tape.scope('raised', () => upsampleTrilinear(tape, classes, { sides }));
}
