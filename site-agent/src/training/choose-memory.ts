import process from 'node:process';
import { z } from 'zod';
import type { Runtime } from '../engine/runtime/runtime.js';
import { type MemoryLimit, memoryLimit } from '../trainer/memory-limit.js';
import type { LearnerOptions } from './learner.js';
import { type PlannedStep, planMemory } from './memory-plan.js';
import { readRecord, writeRecord } from './round-folder.js';

/** Options of the learner that make its steps fit. */
export type MemoryChoice = Pick<LearnerOptions, 'memory' | 'patchesPerPass'>;

export interface TrainingPlace {
  readonly runtime: Runtime;
  /** Where the choice is told. */
  readonly context: { announce(text: string): void };
  /** Threads that make batches beside this one. */
  readonly batchThreads: number;
  /** Of the batches that are kept ready for the steps. */
  readonly batchBytes?: number | undefined;
  /** Of answering for the largest validation case as a whole, beside the steps' own memory. */
  readonly volumeBytes?: number | undefined;
  /** The site's own limit, if it set one. */
  readonly limitBytes: number | undefined;
  /** Keeps the passes that an attempt chose, for its continuation. */
  readonly recordFile: string;
}

const recordSchema = z.object({ patchesPerPass: z.int().min(1) });

const MIB = 2 ** 20;
/** JavaScript at work: its heap, files on their way, results. Measured, as are the threads. */
const PROGRAM_BYTES = 40 * MIB;
const BATCH_THREAD_BYTES = 35 * MIB;

const ORIGINS: Readonly<Record<MemoryLimit['from'], string>> = {
  setting: '(memoryLimit)',
  'control group': 'that this container or service still has',
  machine: 'that the machine still has',
};

/**
 * Fits a step into the memory that there is, announced in one line, or throws OUT_OF_MEMORY. Call it when volumes and weights
 * are loaded, for they count. On a GPU tensors lie in the card's own memory: there the library decides.
 */
export async function chooseMemory(step: PlannedStep, place: TrainingPlace): Promise<MemoryChoice> {
  const { runtime, context, batchThreads, batchBytes = 0, volumeBytes = 0, limitBytes, recordFile } = place;
  if (runtime.binding.isUsingGpuDevice()) return {};
  const before = await readRecord(recordFile, recordSchema);
  const limit = memoryLimit(limitBytes);
  const { memory, patchesPerPass, announcement } = planMemory(
    { ...step, native: runtime.native },
    {
      limitBytes: limit.bytes,
      limitOrigin: ORIGINS[limit.from],
      heldBytes: process.memoryUsage.rss() + PROGRAM_BYTES + batchThreads * BATCH_THREAD_BYTES + batchBytes + volumeBytes,
      volumeBytes,
      patchesPerPass: before?.patchesPerPass,
    },
  );
  context.announce(announcement);
  if (patchesPerPass !== undefined) await writeRecord(recordFile, { patchesPerPass });
  return { memory, patchesPerPass };
}
