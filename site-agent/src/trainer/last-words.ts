import type { ChildProcess } from 'node:child_process';

const KEPT_CHARACTERS = 2_000;

/** Reads a process's output so that it never blocks, and keeps the end of stderr for the error message. */
export class LastWords {
  private kept = '';

  constructor(process: ChildProcess) {
    process.stdout?.resume();
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.kept = (this.kept + text).slice(-KEPT_CHARACTERS);
    });
  }

  text(): string {
    return this.kept;
  }
}
