/**
 * The 3D U-Net of Models Genesis (Zhou et al., MICCAI 2019; MedIA 2021), after Çiçek et al., MICCAI 2016: four levels of two
 * convolution units, maximum pooling down, transposed convolution or nearest neighbour up, skips by concatenation.
 */
import { sideMultiplesOf, type UnitPair, type Unet3dSpec, unet3dBlocks, unet3dKeepsStatistics } from '@consilium/shared/models';
import { invariant } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { raiseNearest } from '../engine/ops/raise.js';
import { encode, idleBiases, unitPair } from './genesis-encoder.js';
import { biased, convolution, type NetworkPass, raised } from './network-pass.js';
import type { Network } from './network.js';
import { keepsExamplesApart } from './norm-plan.js';

export function buildUnet3d(spec: Unet3dSpec): Network {
  const { encoder, decoder } = unet3dBlocks(spec);
  const norm = { choice: spec, running: unet3dKeepsStatistics(spec) };
  return {
    idleParameters: new Set(idleBiases([...encoder, ...decoder], norm)),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: spec.inputChannels,
    outputs: spec.outputs,
    outputSides: (sides) => sides,
    forward(tape, parameters, input) {
      const pass = { tape, parameters, norm };
      const skips: Activation[] = [];
      const bottleneck = encode(pass, encoder, input, (output) => skips.push(output.keep()));
      return decode(pass, { blocks: decoder, upsampling: spec.upsampling }, skips, bottleneck);
    },
  };
}

/** The way up. */
export interface Decoder {
  readonly blocks: readonly UnitPair[];
  readonly upsampling: Unet3dSpec['upsampling'];
}

/** Blocks d3…d1 and the output layer; takes over an ownership of the bottleneck and of each skip, the uppermost first. */
export function decode(
  pass: NetworkPass,
  { blocks, upsampling }: Decoder,
  skips: Activation[],
  bottleneck: Activation,
): Activation {
  const { tape } = pass;
  let current = bottleneck;
  for (const block of blocks) {
    const skip = skips.pop();
    invariant(skip !== undefined, 'each decoder block has a skip');
    const below = current;
    const name = `u${block.name.slice(1)}`; // d3 reads u3
    const above = tape.scope(name, () => (upsampling === 'nearest' ? raiseNearest(tape, below) : raised(pass, name, below)));
    current = unitPair(pass, block, [above, skip]);
  }
  return tape.scope('out', () => biased(pass, 'out', convolution(pass, 'out', current)));
}
