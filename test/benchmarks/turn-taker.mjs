/** The parent's end: starts a process that waits for its turns, and asks it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * The same for both sides. A thread that waits for work may spin; these bounds let it spin within a step (PyTorch's OpenMP is
 * fastest so) and put it to sleep long before the other side's turn ends. `idleProcessorSeconds` shows that it does.
 */
const ENVIRONMENT = { KMP_BLOCKTIME: '1', TF_CPP_MIN_LOG_LEVEL: '2' };

export class TurnTaker {
  #child;
  #answers;
  #complaints = '';
  #exit;

  /** Starts the program; its first line says that it is ready. */
  constructor(name, command, args) {
    this.name = name;
    this.startedAt = performance.now();
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...ENVIRONMENT } });
    this.#child.stdin.on('error', () => undefined); // told by the exit code
    this.#child.stderr.on('data', (text) => (this.#complaints = (this.#complaints + text).slice(-4000)));
    this.#exit = new Promise((resolve) => this.#child.once('close', resolve).once('error', resolve));
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** What the program says once it is ready; `startSeconds` is the time since it was started. */
  async ready() {
    const facts = await this.#answer();
    return { ...facts, startSeconds: (performance.now() - this.startedAt) / 1000 };
  }

  async ask(line) {
    this.#child.stdin.write(`${line}\n`);
    return this.#answer();
  }

  /** Hangs up and waits for the end. */
  async end() {
    this.#child.stdin.end();
    await this.#exit;
  }

  async #answer() {
    const { value, done } = await this.#answers.next();
    if (!done) return JSON.parse(value);
    await this.#exit;
    throw new Error(`${this.name} ended (${this.#child.exitCode ?? this.#child.signalCode}):\n${this.#complaints}`);
  }
}
