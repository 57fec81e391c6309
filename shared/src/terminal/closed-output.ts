/**
 * Calls `react` once when nobody reads this program's output any more: a closed terminal, or a pipe into `head`. Without it the
 * next line written would end the program with a stack trace, and whatever it had started would go on alone.
 */
export function onOutputClosed(react: () => void): void {
  let isClosed = false;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', () => {
      if (isClosed) return;
      isClosed = true;
      react();
    });
  }
}
