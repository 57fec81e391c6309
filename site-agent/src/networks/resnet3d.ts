/**
 * The 3D ResNet of MedicalNet (Chen et al., "Med3D", arXiv 1904.00625; residual blocks after He et al., CVPR 2016): output
 * stride 8, dilated instead of strided in the last two layers, with its demonstration decoder or a classifier.
 */
import {
  MEDICALNET_OUTPUT_STRIDE,
  medicalnetBlocks,
  medicalnetFeatures,
  type MedicalnetSpec,
  type ResidualBlock,
  sideMultiplesOf,
} from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import { add } from '../engine/ops/addition.js';
import { averagePool, globalAveragePool } from '../engine/ops/average-pooling.js';
import { padChannels } from '../engine/ops/channel-padding.js';
import { maxPool } from '../engine/ops/max-pooling.js';
import { rectify } from '../engine/ops/rectify.js';
import {
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

export function buildResnet3d(spec: MedicalnetSpec): Network {
  const blocks = medicalnetBlocks(spec);
  const norm = { choice: spec, running: spec.norm === 'batch' };
  const segments = spec.head === 'segmentation';
  return {
    idleParameters: new Set(segments && hidesBias(norm) ? ['conv_seg.0.bias'] : []),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: spec.inputChannels,
    outputs: spec.head === 'none' ? medicalnetFeatures(spec) : spec.outputs,
    outputSides([x, y, z]) {
      if (spec.head === 'classification') return undefined;
      const side = (voxels: number): number => Math.ceil(voxels / MEDICALNET_OUTPUT_STRIDE) * (segments ? 2 : 1);
      return [side(x), side(y), side(z)];
    },
    forward(tape, parameters, input) {
      const pass = { tape, parameters, norm };
      let current = stem(pass, input);
      for (const block of blocks) current = residualBlock(pass, block, current);
      return answer(pass, spec.head, current);
    },
  };
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
 * from a tensor cut off from its gradient; here the gradient passes, as in He et al. The forward pass is the same.
 */
function shortcutOf(pass: NetworkPass, { name, shortcut, stride, input, output }: ResidualBlock, read: Activation): Activation {
  const { tape } = pass;
  if (shortcut === 'identity') return read;
  return tape.scope('downsample', () => {
    if (shortcut === 'convolved') {
      const convolved = convolution(pass, `${name}.downsample.0`, read, { stride });
      return normalised(pass, `${name}.downsample.1`, convolved);
    }
    const thinned = stride === 1 ? read : averagePool(tape, read, { kernel: 1, stride });
    return output === input ? thinned : padChannels(tape, thinned, output - input);
  });
}

function answer(pass: NetworkPass, head: MedicalnetSpec['head'], features: Activation): Activation {
  const { tape } = pass;
  switch (head) {
    case 'none':
      return features;
    case 'classification':
      return tape.scope('fc', () => connected(pass, 'fc', globalAveragePool(tape, features)));
    case 'segmentation':
      return tape.scope('conv_seg', () => {
        const raised = biasedForNorm(pass, 'conv_seg.0', transposed(pass, 'conv_seg.0', features));
        const first = normalisedRectified(pass, 'conv_seg.1', raised);
        const second = normalisedRectified(pass, 'conv_seg.4', convolution(pass, 'conv_seg.3', first));
        return convolution(pass, 'conv_seg.6', second);
      });
  }
}
