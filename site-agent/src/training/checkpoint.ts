import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, FederationError } from '@consilium/shared/kernel';
import { readSafetensors, type WeightSet, writeSafetensors } from '@consilium/shared/weights';
import { z } from 'zod';
import { digestOfTensors, prefixed, withPrefix } from './tensor-groups.js';
import type { TrainingState } from './train.js';

/** Everything that training needs to go on as if nothing had happened. */
export interface Checkpoint {
  readonly state: TrainingState;
  readonly parameters: WeightSet;
  /** The optimizer's slots and step counter, as the learner gives them. */
  readonly optimizer: WeightSet;
}

const FORMAT = 'consilium-checkpoint-1';
const PARAMETER = 'parameter/';
const OPTIMIZER = 'optimizer/';

const stateSchema = z.object({
  step: z.int().min(0),
  lossSum: z.number(),
  lastLoss: z.number(),
  trainingMs: z.number().min(0),
  waitedMs: z.number().min(0).default(0),
});

/**
 * The checkpoints of one piece of work in one folder: the newest and the one before it, each a safetensors file that
 * appears whole or not at all. `work` names what is being trained (plan, base, collection); a checkpoint of other work is
 * never resumed.
 */
export class CheckpointStore {
  private readonly newest: string;
  private readonly previous: string;

  constructor(
    folder: string,
    private readonly work: Digest,
    private readonly warn: (text: string) => void,
  ) {
    this.newest = join(folder, 'checkpoint.safetensors');
    this.previous = join(folder, 'checkpoint.previous.safetensors');
  }

  /** Returns when the checkpoint is on disk; the former newest one is kept as the previous. */
  async save({ state, parameters, optimizer }: Checkpoint): Promise<void> {
    const tensors = [...prefixed(PARAMETER, parameters), ...prefixed(OPTIMIZER, optimizer)];
    const next = `${this.newest}.next`;
    const metadata = { format: FORMAT, work: this.work, state: JSON.stringify(state), content: digestOfTensors(tensors) };
    await writeSafetensors(next, tensors, { metadata });
    try {
      if (existsSync(this.newest)) await rename(this.newest, this.previous);
      await rename(next, this.newest);
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
  }

  /** The newest checkpoint that reads and belongs to this work; each one that does not is warned about and passed over. */
  async load(): Promise<Checkpoint | undefined> {
    for (const path of [this.newest, this.previous].filter(existsSync)) {
      try {
        const checkpoint = await this.read(path);
        if (checkpoint !== undefined) return checkpoint;
      } catch (error) {
        this.warn(FederationError.from(error, 'CHECKPOINT_UNREADABLE').message);
      }
    }
    return undefined;
  }

  /** Removes all checkpoints: the work is done. */
  async clear(): Promise<void> {
    for (const path of [this.newest, this.previous, `${this.newest}.next`]) await rm(path, { force: true });
  }

  private async read(path: string): Promise<Checkpoint | undefined> {
    const { weights, metadata } = await readSafetensors(path).catch((cause: unknown) => {
      throw unreadable('is damaged', cause);
    });
    if (metadata['format'] !== FORMAT) throw unreadable('is of another format');
    if (metadata['work'] !== this.work) {
      this.warn('a checkpoint of another plan or collection was passed over');
      return undefined;
    }
    if (metadata['content'] !== digestOfTensors(weights)) throw unreadable('holds altered values');
    const state = parseState(metadata['state'] ?? '');
    return { state, parameters: withPrefix(PARAMETER, weights), optimizer: withPrefix(OPTIMIZER, weights) };
  }
}

function parseState(text: string): TrainingState {
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw unreadable('does not say how far it is', cause);
  }
}

function unreadable(what: string, cause?: unknown): FederationError {
  return new FederationError(
    'CHECKPOINT_UNREADABLE',
    `a checkpoint ${what}; training goes back to the one before it, or to the base`,
    {
      cause,
      remedy: 'Nothing to do: the steps since then are trained again.',
    },
  );
}
