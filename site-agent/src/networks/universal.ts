/**
 * The network of the Universal Model (Zhang et al., arXiv 2010.06107), "UM-style": the Models Genesis U-Net, a classifier of the
 * patch's scale on its bottleneck and a modality adversary on encoder levels 2 to 4. A head that nobody asks for costs nothing.
 */
import {
  adversaryPlan,
  scaleHead,
  sideMultiplesOf,
  unet3dBlocks,
  unet3dKeepsStatistics,
  universalBackbone,
  type UniversalSpec,
} from '@consilium/shared/models';
import { required } from '@consilium/shared/kernel';
import type { Activation } from '../engine/activation.js';
import { globalAveragePool } from '../engine/ops/average-pooling.js';
import { reverseGradient } from '../engine/ops/gradient-reversal.js';
import type { ParameterSet } from '../engine/parameters.js';
import type { Tape } from '../engine/tape.js';
import { encode, idleBiases } from './genesis-encoder.js';
import type { NetworkPass } from './network-pass.js';
import type { Network } from './network.js';
import { keepsExamplesApart } from './norm-plan.js';
import { answerWithHead } from './pooled-head.js';
import { decode } from './unet3d.js';
import { idleAdversaryBiases, judgeModality } from './universal-adversary.js';

/** How the modality adversary hangs on the encoder. */
export type AdversaryLink =
  /** The encoder is held fixed: it is computed without a way back. */
  | 'held'
  /** The gradient passes as it is, so that the encoder helps the adversary's loss down. */
  | 'straight'
  /** Minus so many times the gradient passes. */
  | { readonly reversal: number };

/** Which of the answers a pass is for. */
export interface WantedAnswers {
  readonly restored?: boolean;
  readonly scale?: boolean;
  readonly modality?: AdversaryLink | undefined;
  /** The mean of each channel of the bottleneck. */
  readonly features?: boolean;
}

/** Logits, but for the features; those that were wanted. */
export interface UniversalAnswers {
  /** [examples, x, y, z, 1] */
  readonly restored?: Activation;
  /** [examples, scales] */
  readonly scale?: Activation;
  /** [examples, modalities] */
  readonly modality?: Activation;
  /** [examples, channels] */
  readonly features?: Activation;
}

/** A network with heads; as a plain {@link Network} it only restores. */
export interface UniversalNetwork extends Network {
  readonly hasScale: boolean;
  readonly hasAdversary: boolean;
  /** All wanted answers from one way through the encoder; takes over the input. With a held encoder, ask for the modality alone. */
  answer(tape: Tape, parameters: ParameterSet, input: Activation, wanted: WantedAnswers): UniversalAnswers;
}

export function isUniversal(network: Network): network is UniversalNetwork {
  return 'answer' in network;
}

export function buildUniversal(spec: UniversalSpec): UniversalNetwork {
  const backbone = universalBackbone(spec);
  const { encoder, decoder } = unet3dBlocks(backbone);
  const norm = { choice: backbone, running: unet3dKeepsStatistics(backbone) };
  const [scale, adversary] = [scaleHead(spec), adversaryPlan(spec)];

  function answer(tape: Tape, parameters: ParameterSet, input: Activation, wanted: WantedAnswers): UniversalAnswers {
    const { modality: link } = wanted;
    const pass: NetworkPass = { tape: link === 'held' ? tape.aside() : tape, parameters, norm };
    const skips: Activation[] = [];
    const levels: Activation[] = [];
    const bottleneck = encode(pass, encoder, input, (output, level) => {
      if (wanted.restored === true) skips.push(output.keep());
      if (link !== undefined && level > 0) levels.push(output.keep());
    });
    // Every reader gets an ownership of its own; the last one takes over the first.
    const heads = {
      ...(link === undefined ? {} : { modality: judge([...levels, bottleneck.keep()], link) }),
      ...(wanted.scale === true ? { scale: answerWithHead(pass, required(scale, 'a scale classifier'), bottleneck.keep()) } : {}),
      ...(wanted.features === true ? { features: globalAveragePool(pass.tape, bottleneck.keep()) } : {}),
    };
    if (wanted.restored === true) {
      const restored = decode(pass, { blocks: decoder, upsampling: spec.upsampling }, skips, bottleneck);
      return { ...heads, restored };
    }
    bottleneck.tensor.free();
    return heads;

    function judge(read: readonly Activation[], by: AdversaryLink): Activation {
      const linked = typeof by === 'string' ? read : read.map((each) => reverseGradient(tape, each, by.reversal));
      return judgeModality({ ...pass, tape }, required(adversary, 'a modality adversary'), linked);
    }
  }

  return {
    idleParameters: new Set([
      ...idleBiases([...encoder, ...decoder], norm),
      ...(adversary === undefined ? [] : idleAdversaryBiases(adversary)),
    ]),
    examplesIndependent: keepsExamplesApart(norm),
    sideMultiples: sideMultiplesOf(spec),
    inputChannels: backbone.inputChannels,
    outputs: backbone.outputs,
    outputSides: (sides) => sides,
    hasScale: scale !== undefined,
    hasAdversary: adversary !== undefined,
    forward: (tape, parameters, input) => required(answer(tape, parameters, input, { restored: true }).restored, 'the answer'),
    answer,
  };
}
