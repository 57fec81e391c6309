import { FederationError } from '@consilium/shared/kernel';
import type { Learner } from '../learner.js';
import type { BatchSource, PatchBatch } from '../patch-batch.js';
import { tradeGradients } from './exchange-gradients.js';
import { bytesOfNumber, FRAME, type FrameChannel, numberIn } from './frame-channel.js';
import { digestOfProgress, receiveState } from './learner-state.js';

/** What a follower is made of; all of it already open. */
export interface Follower {
  readonly learner: Learner;
  /** Its share of each step's batch, from a step on. */
  readonly openSource: (firstStep: number) => BatchSource;
  /** Patches of the whole batch. */
  readonly ofPatches: number;
  readonly leader: FrameChannel;
}

/**
 * Takes over the leader's state, then does its share of each step that the leader names, until the connection ends (which
 * rejects with TRANSFER_BROKEN: a follower has no end of its own).
 */
export async function followLeader(follower: Follower): Promise<never> {
  const { learner, leader } = follower;
  const source = follower.openSource(await receiveState(learner, leader));
  await leader.send(FRAME.ready, new Uint8Array(0));
  const gradients = new Float32Array(learner.gradientLength);
  for (;;) {
    const { kind, body } = await leader.receiveAny();
    if (kind === FRAME.step) await followStep(follower, await source.batch(numberIn(body)), gradients);
    else if (kind === FRAME.ask) await leader.send(FRAME.digest, Buffer.from(digestOfProgress(learner)));
    else throw new FederationError('INVARIANT', `a follower is sent no frame of kind ${kind}`);
  }
}

async function followStep({ learner, ofPatches, leader }: Follower, share: PatchBatch, gradients: Float32Array): Promise<void> {
  const loss = learner.shareOfStep(share, ofPatches, gradients);
  await leader.send(FRAME.loss, bytesOfNumber(loss));
  await tradeGradients(gradients, leader);
  learner.setLearningRate(numberIn(await leader.receive(FRAME.apply)));
  learner.applyGradients(gradients);
}
