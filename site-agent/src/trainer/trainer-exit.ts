import { FederationError } from '@consilium/shared/kernel';
import { readControlGroup, type ReadText, readTextFile } from './control-group.js';

/** What is known when a trainer process has ended without a result. */
export interface TrainerExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote on stderr; stays local, for it may name files. */
  readonly lastWords: string;
  /** True when we asked it to stop. */
  readonly stopRequested: boolean;
  /** True when the kernel killed a process for memory while it lived: of this control group, where the kernel says so. */
  readonly memoryKill: boolean;
}

const MEMORY_WORDS =
  /std::bad_alloc|RESOURCE_EXHAUSTED|ResourceExhausted|OOM when allocating|out of memory|failed to allocate|Cannot allocate memory|Array buffer allocation failed/i;

/** True when an error's text says that memory ran out. */
export function speaksOfMemory(text: string): boolean {
  return MEMORY_WORDS.test(text);
}

/** The reason in the project's codes: TRAINER_STOPPED, OUT_OF_MEMORY or TRAINER_DIED. */
export function explainExit(exit: TrainerExit): FederationError {
  const details = { exitCode: exit.exitCode, signal: exit.signal };
  if (exit.stopRequested) {
    return new FederationError('TRAINER_STOPPED', 'the trainer was stopped before it finished', {
      details,
      retryable: true,
      remedy: 'Give the same order again to continue from its checkpoint.',
    });
  }
  if (speaksOfMemory(exit.lastWords) || (exit.signal === 'SIGKILL' && exit.memoryKill)) {
    return outOfMemory(details, exit.lastWords);
  }
  const killed =
    exit.signal === 'SIGKILL' ? ' If memory is scarce here, set memoryLimit: some systems kill without a trace.' : '';
  const how = exit.signal === null ? `with exit code ${exit.exitCode}` : `by signal ${exit.signal}`;
  return new FederationError('TRAINER_DIED', `the trainer ended ${how} without a result`, {
    details,
    retryable: true,
    remedy: `Give the same order again: it resumes from its checkpoint.${killed}${quote(exit.lastWords)}`,
  });
}

/** OUT_OF_MEMORY with its cure. */
export function outOfMemory(details: Readonly<Record<string, string | number | null>>, lastWords = ''): FederationError {
  return new FederationError('OUT_OF_MEMORY', 'the trainer ran out of memory', {
    details,
    remedy:
      'Close other programs, or set memoryLimit (--memory-limit 2GiB) so that training fits itself into less; ' +
      `else a smaller batch, patch or model width is needed.${quote(lastWords)}`,
  });
}

/**
 * Processes that the kernel has killed for memory so far: of this control group, which the trainers share with the agent, or,
 * where there is none, of the whole machine. 0 where it does not say.
 */
export function countMemoryKills(read: ReadText = readTextFile): number {
  const inGroup = readControlGroup(read).memoryKills;
  return inGroup ?? Number(/^oom_kill (\d+)$/m.exec(read('/proc/vmstat') ?? '')?.[1] ?? 0);
}

function quote(words: string): string {
  const trimmed = words.trim();
  return trimmed === '' ? '' : ` Its last words: ${trimmed}`;
}
