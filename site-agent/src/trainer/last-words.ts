import type { ChildProcess } from 'node:child_process';

const KEPT_CHARACTERS = 4_000;
const KEPT_LINES = 8;
/** TensorFlow's greetings say nothing about an end. */
const GREETINGS = /^I\d{4} |^WARNING: All log messages before absl::InitializeLog/;

/** Reads a process's output so that it never blocks, and keeps the end of stderr for the error message. */
export class LastWords {
  private kept = '';

  constructor(process: ChildProcess) {
    process.stdout?.resume();
    process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.kept = (this.kept + text).slice(-KEPT_CHARACTERS);
    });
  }

  /** The last lines that may explain an end; empty when there are none. */
  text(): string {
    const lines = this.kept.split('\n').filter((line) => line.trim() !== '' && !GREETINGS.test(line));
    return lines.slice(-KEPT_LINES).join('\n');
  }
}
