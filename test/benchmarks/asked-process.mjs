import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A process of ours that answers messages; `ready` is what it said when it had started. */
export class AskedProcess {
  #child;
  #open = new Map();
  #next = 1;
  ready;

  static async start(script, args = [], environment = {}) {
    const started = new AskedProcess();
    const child = fork(fileURLToPath(new URL(script, import.meta.url)), args, {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, ...environment },
    });
    started.#child = child;
    const first = new Promise((resolve, reject) => started.#open.set(0, { resolve, reject }));
    child.on('message', ({ id, value, failure }) => {
      const { resolve, reject } = started.#open.get(id);
      started.#open.delete(id);
      if (failure === undefined) resolve(value);
      else reject(new Error(failure));
    });
    child.on('exit', (code, signal) => {
      for (const { reject } of started.#open.values()) reject(new Error(`${script} ended (${code ?? signal})`));
    });
    started.ready = await first;
    return started;
  }

  ask(ask, order) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#open.set(id, { resolve, reject }));
    this.#child.send({ id, ask, order });
    return answer;
  }

  /** Hangs up: the process ends by itself. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await ended;
  }

  /** kill -9; resolves when it is gone. */
  async kill() {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
