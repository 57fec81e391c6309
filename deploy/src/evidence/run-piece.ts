import { formatDuration } from '@consilium/shared/kernel';
import type { LiveBlock } from '@consilium/shared/terminal';
import type { ProgramGroup } from '../programs/program-group.js';
import type { RunExecutor } from './run-executor.js';
import type { RunResult, RunStore } from './run-store.js';
import { RunWatch } from './run-watch.js';
import type { EvidenceRun } from './work-list.js';

export interface Piece {
  readonly runs: readonly EvidenceRun[];
  readonly store: RunStore;
  readonly group: ProgramGroup;
  readonly executor: RunExecutor;
  /** Runs at a time. */
  readonly jobs: number;
  /** No run is started after so many minutes. */
  readonly minutes: number;
  /** Where it says what begins, what goes on and what is done. */
  readonly block: LiveBlock;
}

export type PieceEnd = 'done' | 'time is up' | 'interrupted';

/**
 * Runs what is not done yet, `jobs` at a time, until nothing is left or the time is up. Pretrainings come first, so that hardly
 * anything waits for one. The first failure stops the others: they go on when the piece is started again.
 */
export async function runPiece(piece: Piece): Promise<PieceEnd> {
  const { group, minutes, store } = piece;
  let interrupted = false;
  const stop = (): void => {
    interrupted = true;
    void group.stopAll();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, stop);
  const startedMs = Date.now();
  const watch = new RunWatch(piece.block);
  const isTimeUp = (): boolean => Date.now() - startedMs > minutes * 60_000;
  const left = piece.runs.filter((run) => store.find(run) === undefined);
  try {
    for (const kind of ['pretraining', 'probe', 'finetuning'] as const) {
      const queue = left.filter((run) => run.kind === kind);
      await Promise.all(Array.from({ length: piece.jobs }, () => workThrough(queue, piece, { watch, startedMs, isTimeUp })));
    }
    return isTimeUp() && left.some((run) => store.find(run) === undefined) ? 'time is up' : 'done';
  } catch (error) {
    await group.stopAll();
    if (interrupted) return 'interrupted';
    throw error;
  } finally {
    for (const signal of signals) process.off(signal, stop);
    watch.stop();
    await group.stopAll();
  }
}

interface Course {
  readonly watch: RunWatch;
  readonly startedMs: number;
  readonly isTimeUp: () => boolean;
}

async function workThrough(
  queue: EvidenceRun[],
  { executor, block }: Piece,
  { watch, startedMs, isTimeUp }: Course,
): Promise<void> {
  const told = (text: string): string => `${formatDuration(Date.now() - startedMs).padStart(12)}  ${text}`;
  for (let run = queue.shift(); run !== undefined && !isTimeUp(); run = queue.shift()) {
    block.printAbove(told(`${run.id} begins, ${queue.length} more wait`));
    watch.begin(run.id, executor.logsOf(run));
    const result = await executor.execute(run);
    watch.end(run.id, told(`${run.id}  ${outcomeText(result)}  in ${formatDuration(result.wallSeconds * 1000)}`));
  }
}

/** The figure that a run is made for. */
function outcomeText({ figures }: RunResult): string {
  const shown = ['skill.all', 'linear.auc', 'dice', 'auc'].filter((name) => figures[name] !== undefined);
  return shown.map((name) => `${name} ${figures[name]?.toFixed(3) ?? '–'}`).join(', ');
}
