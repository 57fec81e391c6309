/**
 * The 3D U-Net of Models Genesis (Zhou et al., MICCAI 2019; MedIA 2021), after Çiçek et al., MICCAI 2016: four levels of two
 * convolution units, maximum pooling down, transposed convolution or nearest neighbour up, skips by concatenation.
 */
import { type Unet3dSpec, unet3dBlocks, UNET3D_SIDE_MULTIPLE, type UnitPair } from '@consilium/shared/models';
import { FederationError, invariant } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { addBias } from '../engine/ops/bias.js';
import { convolve } from '../engine/ops/convolution.js';
import { maxPool } from '../engine/ops/max-pooling.js';
import { upsampleNearest } from '../engine/ops/nearest-upsampling.js';
import { normaliseRectify } from '../engine/ops/normalise-rectify.js';
import { convolveTransposed } from '../engine/ops/transposed-convolution.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Tape } from '../engine/tape.js';
import type { Network } from './network.js';

export function buildUnet3d(spec: Unet3dSpec): Network {
  const { encoder, decoder } = unet3dBlocks(spec);
  return {
    // A bias before a norm is subtracted again with the mean.
    idleParameters: new Set([...encoder, ...decoder].flatMap(({ name }) => [`${name}.0.bias`, `${name}.3.bias`])),
    examplesIndependent: spec.norm === 'instance',
    sideMultiple: UNET3D_SIDE_MULTIPLE,
    inputChannels: spec.inputChannels,
    outputs: spec.outputs,
    forward(tape, parameters, input) {
      const pass: Pass = { tape, parameters, norm: statisticsOver(spec) };
      const skips: Activation[] = [];
      let current = input;
      for (const [level, block] of encoder.entries()) {
        const read = level === 0 ? current : tape.scope(`${block.name}.pool`, () => maxPool(tape, current));
        current = unitPair(pass, block, [read]);
        if (level < decoder.length) skips.push(current.keep());
      }
      for (const block of decoder) {
        const skip = skips.pop();
        invariant(skip !== undefined, 'each decoder block has a skip');
        const raised = tape.scope(`u${block.name.slice(1)}`, () =>
          spec.upsampling === 'nearest' ? upsampleNearest(tape, current) : raise(pass, block, current),
        );
        current = unitPair(pass, block, [raised, skip]);
      }
      return tape.scope('out', () =>
        addBias(tape, convolve(tape, current, parameters.get('out.weight')), parameters.get('out.bias')),
      );
    },
  };
}

interface Pass {
  readonly tape: Tape;
  readonly parameters: ParameterSet;
  readonly norm: 'batch' | 'instance';
}

function statisticsOver({ norm, batchStatistics }: Unet3dSpec): 'batch' | 'instance' {
  if (norm !== 'group' && batchStatistics !== 'training') return norm;
  throw new FederationError('ARGUMENT_INVALID', 'this network cannot be trained with these norms yet', {
    remedy: 'Choose batch or instance norm.',
  });
}

function raise({ tape, parameters }: Pass, block: UnitPair, input: Activation): Activation {
  const name = `u${block.name.slice(1)}`; // d3 reads u3
  return addBias(tape, convolveTransposed(tape, input, parameters.get(`${name}.weight`)), parameters.get(`${name}.bias`));
}

function unitPair(pass: Pass, { name }: UnitPair, inputs: readonly Activation[]): Activation {
  return pass.tape.block(name, inputs, (tape, read) => {
    const first = unit({ ...pass, tape }, `${name}.0`, `${name}.1`, read);
    return unit({ ...pass, tape }, `${name}.3`, `${name}.4`, [first]);
  });
}

function unit({ tape, parameters, norm }: Pass, convolution: string, scaling: string, inputs: readonly Activation[]): Activation {
  const convolved = tape.scope(convolution.slice(-1), () => convolve(tape, inputs, parameters.get(`${convolution}.weight`)));
  return tape.scope(scaling.slice(-1), () =>
    normaliseRectify(tape, convolved, parameters.get(`${scaling}.weight`), parameters.get(`${scaling}.bias`), norm),
  );
}
