import { FederationError } from '@consilium/shared/kernel';
import type { Learner } from '../learner.js';
import type { BatchSource, PatchBatch } from '../patch-batch.js';
import type { Trainee } from '../train.js';
import { sumGradients } from './exchange-gradients.js';
import { bytesOfNumber, FRAME, type FrameChannel, numberIn } from './frame-channel.js';
import { digestOfProgress, sendState } from './learner-state.js';
import { TurnBuffer } from './turn-buffer.js';

/** One or more followers, in the order of their shares; any of them may end at any time. */
export interface Followers {
  readonly channels: readonly FrameChannel[];
  /** Rejects with the reason when one of them has ended; otherwise never settles. */
  readonly lost: Promise<never>;
}

export interface LeaderOptions {
  readonly learner: Learner;
  /** The leader's own share of each step's batch. */
  readonly source: BatchSource;
  /** Patches of the whole batch. */
  readonly ofPatches: number;
  readonly followers: Followers;
}

/**
 * Trains one learner together with its followers: to the training loop it is a learner like any other. After each step all of
 * them hold the same bits; losing a follower rejects the step with the reason.
 */
export class StepLeader implements Trainee, BatchSource {
  private readonly gradients: TurnBuffer;
  private readonly incoming: TurnBuffer;
  private rate = 0;
  private current = 0;

  constructor(private readonly options: LeaderOptions) {
    this.gradients = new TurnBuffer();
    this.incoming = new TurnBuffer();
  }

  /** Gives the followers the learner's weights and optimizer state; resolves when all are ready for a step. */
  async align(nextStep: number): Promise<void> {
    const { learner, followers } = this.options;
    await this.orLost(async () => {
      await sendState(learner, nextStep, followers.channels);
      await Promise.all(followers.channels.map((channel) => channel.receive(FRAME.ready)));
    });
  }

  async batch(step: number): Promise<PatchBatch> {
    this.current = step;
    return this.options.source.batch(step);
  }

  close(): Promise<void> {
    return this.options.source.close();
  }

  setLearningRate(rate: number): void {
    this.rate = rate;
  }

  /** The step of the batch asked for last; the loss over all shares. */
  step(share: PatchBatch): Promise<number> {
    return this.orLost(() => this.stepTogether(share));
  }

  /** Throws INVARIANT unless all followers have come to the same state of the optimizer, bit for bit. */
  async confirm(): Promise<void> {
    const { learner, followers } = this.options;
    const mine = digestOfProgress(learner);
    const theirs = await this.orLost(() =>
      Promise.all(
        followers.channels.map(async (channel) => {
          await channel.send(FRAME.ask, new Uint8Array(0));
          return Buffer.from(await channel.receive(FRAME.digest)).toString('utf8');
        }),
      ),
    );
    if (theirs.every((digest) => digest === mine)) return;
    throw new FederationError('INVARIANT', 'the devices of this site no longer hold the same model', {
      remedy: 'Set device to one of them, give the same order again, and report this.',
    });
  }

  private async stepTogether(share: PatchBatch): Promise<number> {
    const { learner, ofPatches, followers } = this.options;
    const { channels } = followers;
    // The followers begin at once: a small frame leaves before this process is busy with its own share.
    await Promise.all(channels.map((channel) => channel.send(FRAME.step, bytesOfNumber(this.current))));
    const turns = learner.turnsOfStep;
    let loss = 0;
    for (let turn = 0; turn < turns; turn++) loss = await this.turnTogether(turn, share, ofPatches);
    return Math.fround(loss);
  }

  private async turnTogether(turn: number, share: PatchBatch, ofPatches: number): Promise<number> {
    const { learner, followers } = this.options;
    const { channels } = followers;
    const length = learner.gradientLength(turn);
    const gradients = this.gradients.take(length);
    let loss = learner.shareOfTurn(turn, share, ofPatches, gradients);
    for (const channel of channels) loss += numberIn(await channel.receive(FRAME.loss));
    await sumGradients(gradients, this.incoming.take(length), channels);
    await Promise.all(channels.map((channel) => channel.send(FRAME.apply, bytesOfNumber(this.rate))));
    learner.setLearningRate(this.rate);
    learner.applyGradients(turn, gradients);
    return loss;
  }

  /** A broken connection is explained by the follower's end, which is learnt of a moment later. */
  private async orLost<T>(work: () => Promise<T>): Promise<T> {
    const { lost } = this.options.followers;
    const working = work().catch((error: unknown) => {
      if (error instanceof FederationError && error.code === 'TRANSFER_BROKEN') return lost;
      throw error;
    });
    return Promise.race([working, lost]);
  }
}
