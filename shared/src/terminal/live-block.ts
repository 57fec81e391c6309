import { fitLine, type TerminalStream } from './terminal-stream.js';

/** Several lines redrawn in place, for a live view of many parties. */
export interface LiveBlock {
  /** False where lines cannot be redrawn, such as in a file: then nothing but `printAbove` shows. */
  readonly isRedrawn: boolean;
  /** Replaces the block by these lines; does nothing when the stream is not a terminal. */
  render(lines: readonly string[]): void;
  /** Prints a line that stays, above the block. */
  printAbove(line: string): void;
  /** Leaves the block where it is and moves below it. */
  finish(): void;
}

export function createLiveBlock(stream: TerminalStream = process.stdout): LiveBlock {
  const interactive = stream.isTTY === true;
  let drawn: readonly string[] = [];
  const erase = (): string => (drawn.length === 0 ? '' : `\u001B[${drawn.length}A\r\u001B[0J`);
  const draw = (lines: readonly string[]): string => lines.map((line) => `${fitLine(line, stream)}\n`).join('');

  return {
    isRedrawn: interactive,
    render(lines) {
      if (!interactive) return;
      stream.write(erase() + draw(lines));
      drawn = [...lines];
    },
    printAbove(line) {
      stream.write(interactive ? `${erase()}${line}\n${draw(drawn)}` : `${line}\n`);
    },
    finish() {
      drawn = [];
    },
  };
}
