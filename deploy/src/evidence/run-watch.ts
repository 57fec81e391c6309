import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import type { LiveBlock } from '@consilium/shared/terminal';

const REDRAW_MS = 1000;
/** Where lines cannot be redrawn, such as in a log file. */
const REPEAT_MS = 5 * 60_000;
/** More than any line of a log. */
const TAIL_BYTES = 4096;

/**
 * Says what the runs under way are doing, by the last lines of their logs: redrawn in place on a terminal, in new lines every few
 * minutes elsewhere.
 */
export class RunWatch {
  private readonly logs = new Map<string, readonly string[]>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly block: LiveBlock,
    repeatMs = REPEAT_MS,
  ) {
    const redraw = (): void => block.render(this.lines());
    const say = (): void => this.lines().forEach((line) => block.printAbove(line));
    this.timer = block.isRedrawn ? setInterval(redraw, REDRAW_MS) : setInterval(say, repeatMs);
  }

  /** `logs`: the run's own and those of what it waits for; the one written last is told of. */
  begin(id: string, logs: readonly string[]): void {
    this.logs.set(id, logs);
  }

  /** The run has ended; `line` stays. */
  end(id: string, line: string): void {
    this.logs.delete(id);
    this.block.printAbove(line);
  }

  /** Ends the display; its timer would hold the process. */
  stop(): void {
    clearInterval(this.timer);
    this.block.render([]);
    this.block.finish();
  }

  private lines(): string[] {
    return [...this.logs].map(([id, files]) => {
      const newestFirst = [...files].sort((a, b) => writtenMs(b) - writtenMs(a));
      const said = newestFirst.map(lastLineOf).find((line) => line !== undefined);
      return `  ${id}: ${said ?? 'starting'}`;
    });
  }
}

/** When a file was written last; 0 without one. */
function writtenMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The last line of a log with anything in it; undefined without one. A progress bar counts as it was drawn last. */
export function lastLineOf(file: string): string | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return undefined; // not begun
  }
  try {
    const { size } = fstatSync(handle);
    const bytes = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(handle, bytes, 0, bytes.length, size - bytes.length);
    const lines = stripVTControlCharacters(bytes.toString('utf8')).split(/[\r\n]+/);
    return lines.map((line) => line.trim()).findLast((line) => line !== '');
  } finally {
    closeSync(handle);
  }
}
