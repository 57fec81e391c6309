/** The part of a terminal or pipe that our output needs; `process.stdout` and `process.stderr` fit, and so does an array in a spec. */
export interface TerminalStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  /** Width in characters; 80 when unknown. */
  readonly columns?: number;
}

/** Moves to the line's start and erases it: what a progress line left there disappears. Empty when not a terminal. */
export function eraseLine(stream: TerminalStream): string {
  return stream.isTTY === true ? '\r\u001B[2K' : '';
}

/** The text cut to the stream's width, so that a redrawn line never wraps. */
export function fitLine(text: string, stream: TerminalStream): string {
  const width = Math.max(20, (stream.columns ?? 80) - 1);
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
