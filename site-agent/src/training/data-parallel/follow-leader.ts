import { FederationError } from '@consilium/shared/kernel';
import type { Learner } from '../learner.js';
import type { BatchSource, PatchBatch } from '../patch-batch.js';
import { tradeGradients } from './exchange-gradients.js';
import { bytesOfNumber, FRAME, type FrameChannel, numberIn } from './frame-channel.js';
import { digestOfProgress, receiveState } from './learner-state.js';
import { TurnBuffer } from './turn-buffer.js';

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
  const buffer = new TurnBuffer();
  for (;;) {
    const { kind, body } = await leader.receiveAny();
    if (kind === FRAME.step) await followStep(follower, await source.batch(numberIn(body)), buffer);
    else if (kind === FRAME.ask) await leader.send(FRAME.digest, Buffer.from(digestOfProgress(learner)));
    else throw new FederationError('INVARIANT', `a follower is sent no frame of kind ${kind}`);
  }
}

async function followStep({ learner, ofPatches, leader }: Follower, share: PatchBatch, buffer: TurnBuffer): Promise<void> {
  const turns = learner.turnsOfStep;
  for (let turn = 0; turn < turns; turn++) {
    const gradients = buffer.take(learner.gradientLength(turn));
    const loss = learner.shareOfTurn(turn, share, ofPatches, gradients);
    await leader.send(FRAME.loss, bytesOfNumber(loss));
    await tradeGradients(gradients, leader);
    learner.setLearningRate(numberIn(await leader.receive(FRAME.apply)));
    learner.applyGradients(turn, gradients);
  }
}
