import { type Clock, formatDuration, systemClock } from '@consilium/shared/kernel';
import { eraseLine, fitLine, type TerminalStream } from './terminal-stream.js';

export interface ProgressOptions {
  readonly label: string;
  /** The count that means done; may be 0, then the bar is full at once. Left out when it is not known: the line counts. */
  readonly total?: number;
  /** Standard error by default, so that standard output stays for results. */
  readonly stream?: TerminalStream;
  readonly clock?: Clock;
}

/** One line of progress. `update` may be called as often as one likes, with fractions of what is counted too; drawing is limited. */
export interface ProgressLine {
  update(done: number, note?: string): void;
  /** Draws the last state and ends the line; later calls do nothing. */
  finish(note?: string): void;
}

const REDRAW_MS = 100;
const PLAIN_LINE_MS = 5000;

/** "█████░░░░░" with `width` cells for a share in [0, 1]. */
export function formatBar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** A count, with one decimal where it lies within a unit: half a volume. */
export function formatCount(done: number): string {
  return Number.isInteger(done) ? String(done) : done.toFixed(1);
}

/** The time that the rest needs at the pace so far, or undefined before anything is done. */
export function timeLeftMs(done: number, total: number, elapsedMs: number): number | undefined {
  return done <= 0 ? undefined : (elapsedMs * Math.max(0, total - done)) / done;
}

/** On a terminal one line redrawn in place; otherwise a plain line every few seconds and at the end. */
export function createProgress(options: ProgressOptions): ProgressLine {
  const stream = options.stream ?? process.stderr;
  const clock = options.clock ?? systemClock;
  const interactive = stream.isTTY === true;
  const startedMs = clock.nowMs();
  let drawnMs = interactive ? Number.NEGATIVE_INFINITY : startedMs;
  let done = 0;
  let note: string | undefined;
  let ended = false;

  const draw = (last: boolean): void => {
    const elapsedMs = clock.nowMs() - startedMs;
    const line = describeProgress(options, done, note, elapsedMs, { interactive, last });
    stream.write(interactive ? eraseLine(stream) + fitLine(line, stream) + (last ? '\n' : '') : `${line}\n`);
    drawnMs = clock.nowMs();
  };

  return {
    update(newDone, newNote) {
      if (ended) return;
      done = newDone;
      note = newNote ?? note;
      if (clock.nowMs() - drawnMs >= (interactive ? REDRAW_MS : PLAIN_LINE_MS)) draw(false);
    },
    finish(lastNote) {
      if (ended) return;
      note = lastNote ?? note;
      draw(true);
      ended = true;
    },
  };
}

function describeProgress(
  { label, total }: ProgressOptions,
  done: number,
  note: string | undefined,
  elapsedMs: number,
  { interactive, last }: { interactive: boolean; last: boolean },
): string {
  if (total === undefined)
    return [label, formatCount(done), last ? `in ${formatDuration(elapsedMs)}` : '', note ?? '']
      .filter((part) => part !== '')
      .join('  ');
  const share = total === 0 ? 1 : done / total;
  const left = timeLeftMs(done, total, elapsedMs);
  const time = last ? `in ${formatDuration(elapsedMs)}` : left === undefined ? '' : `${formatDuration(left)} left`;
  const bar = interactive ? formatBar(share) : `${Math.floor(share * 100)} %`;
  return [label, bar, `${formatCount(done)}/${total}`, time, note ?? ''].filter((part) => part !== '').join('  ');
}
