import { invariant } from '@consilium/shared/kernel';
import { createLoss } from '../engine/losses/create-loss.js';
import type { LossChoice, LossName } from '../engine/losses/loss-plan.js';
import type { Network } from '../networks/network.js';
import { isUniversal, type UniversalNetwork } from '../networks/universal.js';
import { answerObjective } from './answer-objective.js';
import type { Objective } from './objective.js';
import type { UniversalTraining } from './universal-clock.js';
import { adversaryObjective, universalObjective } from './universal-objective.js';

/** What a step teaches, as plain data: one loss of the network's answer, or the losses of a network with heads. */
export type ObjectiveChoice =
  | { readonly kind: 'answer'; readonly loss: LossChoice | LossName }
  | UniversalTraining
  /** The modality adversary alone, at fixed features. */
  | { readonly kind: 'adversary' };

export function createObjective(network: Network, choice: ObjectiveChoice): Objective {
  switch (choice.kind) {
    case 'answer':
      return answerObjective(network, createLoss(choice.loss));
    case 'universal-model':
      return universalObjective(withHeads(network), choice);
    case 'adversary':
      return adversaryObjective(withHeads(network));
  }
}

/** Channels of the target, where they are not the network's outputs. */
export function targetChannelsOf(choice: ObjectiveChoice): number | undefined {
  return choice.kind === 'answer' ? createLoss(choice.loss).targetChannels : undefined;
}

function withHeads(network: Network): UniversalNetwork {
  invariant(isUniversal(network), 'a universal objective trains a network with heads');
  return network;
}
