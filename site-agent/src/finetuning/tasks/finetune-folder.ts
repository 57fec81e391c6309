import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';

/** What a fine-tuning leaves in its output folder. */
export interface FinetuneFolder {
  readonly path: string;
  readonly modelFile: string;
  readonly historyFile: string;
  /** The task with absolute paths, so that "evaluate" and a later "finetune" need nothing else. */
  readonly taskFile: string;
  readonly summaryFile: string;
  /** Checkpoints and the best weights so far; empty once the model is written. */
  readonly workFolder: string;
  readonly bestFile: string;
  /** The passes that steps are computed in, where memory is scarce. */
  readonly memoryFile: string;
  /** The scratch run of the same schedule, where one was asked for. */
  readonly scratchFolder: string;
}

export function finetuneFolder(path: string): FinetuneFolder {
  return {
    path,
    modelFile: join(path, 'model.safetensors'),
    historyFile: join(path, 'history.json'),
    taskFile: join(path, 'task.yaml'),
    summaryFile: join(path, 'summary.json'),
    workFolder: join(path, 'work'),
    bestFile: join(path, 'work', 'best.safetensors'),
    memoryFile: join(path, 'work', 'memory.json'),
    scratchFolder: join(path, 'scratch'),
  };
}

/** The folder of one fold, counted from 1. */
export function foldFolder(outputFolder: string, fold: number): string {
  return join(outputFolder, `fold-${fold}`);
}

/** The folds that have a folder within an output folder, in order; none where there is no such folder. */
export function foldsWithin(outputFolder: string): number[] {
  const numbers = readdirOrNone(outputFolder).map((name) => Number(/^fold-(\d+)$/.exec(name)?.[1]));
  return numbers.filter((fold) => fold > 0).sort((a, b) => a - b);
}

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Makes a folder that a human named, and those above it; STORAGE_FAILED when that cannot be. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw FederationError.from(cause, 'STORAGE_FAILED');
  }
}
