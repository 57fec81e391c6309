/** The encoder of the Models Genesis U-Net with a classifying head (Zhou et al., MedIA 2021; spec A7). */
import {
  genesisClassifierHead,
  type GenesisClassifierSpec,
  sideMultiplesOf,
  unet3dEncoder,
  unet3dKeepsStatistics,
} from '@consilium/shared/models';
import { encode, idleBiases } from './genesis-encoder.js';
import type { Network } from './network.js';
import { keepsExamplesApart } from './norm-plan.js';
import { answerWithHead } from './pooled-head.js';

export function buildGenesisClassifier(spec: GenesisClassifierSpec): Network {
  const encoder = unet3dEncoder(spec);
  const head = genesisClassifierHead(spec);
  const norm = { choice: spec, running: unet3dKeepsStatistics(spec) };
  return {
    idleParameters: new Set(idleBiases(encoder, norm)),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: spec.inputChannels,
    outputs: spec.outputs,
    outputSides: () => undefined,
    forward(tape, parameters, input) {
      const pass = { tape, parameters, norm };
      return answerWithHead(pass, head, encode(pass, encoder, input));
    },
  };
}
