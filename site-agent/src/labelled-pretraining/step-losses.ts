import { z } from 'zod';
import type { Digest } from '@consilium/shared/kernel';
import { mean } from '../finetuning/answers/metrics.js';
import { readRecord, writeRecord } from '../training/round-folder.js';
import type { Turn } from './draw-turns.js';

const recordSchema = z.object({ work: z.string(), losses: z.array(z.number().nullable()) });

/**
 * The loss of each step, in a file: checkpoints keep one sum only, and the means of the branches must come out the same after a
 * kill. Saved before each checkpoint, so that it reaches at least as far.
 */
export class StepLosses {
  private losses: (number | null)[] = [];

  constructor(
    private readonly path: string,
    private readonly work: Digest,
  ) {}

  /** Takes up what is known of the first `steps` steps. */
  async resume(steps: number): Promise<void> {
    const record = await readRecord(this.path, recordSchema);
    const known = record?.work === this.work ? record.losses : [];
    this.losses = Array.from({ length: steps }, (_, step) => known[step] ?? null);
  }

  add(loss: number): void {
    this.losses.push(loss);
  }

  async save(): Promise<void> {
    await writeRecord(this.path, { work: this.work, losses: this.losses });
  }

  /** Mean of a collection's turns from one step to before another; null when it had none. */
  meanOf(collection: number, turns: readonly Turn[], from: number, to: number): number | null {
    const own = this.losses.slice(from, to).flatMap((loss, index) => {
      return loss !== null && turns[from + index]?.collection === collection ? [loss] : [];
    });
    return own.length === 0 ? null : mean(own);
  }
}
