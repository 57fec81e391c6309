import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';

/** What is known when a trainer process has ended without a result. */
export interface TrainerExit {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The end of what it wrote on stderr; stays local, for it may name files. */
  readonly lastWords: string;
  /** True when we asked it to stop. */
  readonly stopRequested: boolean;
  /** True when the kernel killed some process for memory while it lived. */
  readonly memoryKill: boolean;
}

const MEMORY_WORDS =
  /std::bad_alloc|RESOURCE_EXHAUSTED|ResourceExhausted|OOM when allocating|out of memory|Cannot allocate memory/i;

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
  const how = exit.signal === null ? `with exit code ${exit.exitCode}` : `by signal ${exit.signal}`;
  return new FederationError('TRAINER_DIED', `the trainer ended ${how} without a result`, {
    details,
    retryable: true,
    remedy: `Give the same order again: it resumes from its checkpoint.${quote(exit.lastWords)}`,
  });
}

/** OUT_OF_MEMORY with its cure. */
export function outOfMemory(details: Readonly<Record<string, string | number | null>>, lastWords = ''): FederationError {
  return new FederationError('OUT_OF_MEMORY', 'the trainer ran out of memory', {
    details,
    remedy: `Use a smaller batch, patch or model width, or give the site more memory.${quote(lastWords)}`,
  });
}

/** Processes that the kernel has killed for memory since it started; 0 where it does not say. */
export function countMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0; // not Linux
  }
}

function quote(words: string): string {
  const trimmed = words.trim();
  return trimmed === '' ? '' : ` Its last words: ${trimmed}`;
}
