/** The parent's end: starts a process that waits for its turns, and asks it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { locateRuntime, runtimeEnvironment } from '../../site-agent/dist/engine/runtime/locate-runtime.js';

/**
 * The same for both sides. A thread that waits for work may spin; these bounds let it spin within a step (PyTorch's OpenMP is
 * fastest so) and put it to sleep long before the other side's turn ends. `idleProcessorSeconds` shows that it does.
 */
const ENVIRONMENT = { KMP_BLOCKTIME: '1', TF_CPP_MIN_LOG_LEVEL: '2' };

/** Our side, in the environment that a site's trainer is started in. */
export function engineTaker(args) {
  return new TurnTaker('ours', process.execPath, args, runtimeEnvironment(locateRuntime()));
}

export class TurnTaker {
  /** What the program said when it was ready. */
  facts;
  #command;
  #args;
  #environment;
  #child;
  #answers;
  #complaints = '';
  #ended;

  constructor(name, command, args, environment = {}) {
    this.name = name;
    this.#command = command;
    this.#args = args;
    this.#environment = environment;
  }

  /** Starts the program; its first line says that it is ready. `startSeconds` is the time that took. */
  async start() {
    const startedAt = performance.now();
    this.#child = spawn(this.#command, this.#args, {
      stdio: 'pipe',
      env: { ...process.env, ...ENVIRONMENT, ...this.#environment },
    });
    this.#child.stdin.on('error', () => undefined); // told by the exit code
    this.#child.stderr.on('data', (text) => (this.#complaints = (this.#complaints + text).slice(-4000)));
    this.#child.on('error', ({ message }) => (this.#complaints += `Error: ${message}`));
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    const facts = await this.#answer();
    this.facts = { ...facts, startSeconds: (performance.now() - startedAt) / 1000 };
    return this.facts;
  }

  async ask(line) {
    this.#child.stdin.write(`${line}\n`);
    return this.#answer();
  }

  /** Hangs up and waits for the end; nothing if it was never started. */
  async end() {
    this.#child?.stdin.end();
    await this.#ended;
  }

  async #answer() {
    const { value, done } = await this.#answers.next();
    if (!done) return JSON.parse(value);
    await this.#ended;
    const words = this.#complaints.split('\n').filter((line) => /^\w*Error: /.test(line));
    const ending = this.#child.exitCode ?? this.#child.signalCode;
    throw new Error(`${this.name} ended (${ending}): ${words.join(' | ') || this.#complaints || 'without a word'}`);
  }
}

/** Starts all sides, one after the other so that starts do not disturb each other, and ends them after the work. */
export async function withSides(sides, work) {
  try {
    for (const side of sides) await side.start();
    return await work(sides);
  } finally {
    await Promise.all(sides.map((side) => side.end()));
  }
}

/** What the sides said when they were ready. */
export function startsOf(sides) {
  return Object.fromEntries(
    sides.map(({ name, facts }) => [name, { ...facts, startSeconds: Math.round(facts.startSeconds * 100) / 100 }]),
  );
}
