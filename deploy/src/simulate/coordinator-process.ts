import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatorLink } from '@consilium/coordinator/dist/commands/operator-link.js';
import type { OperatorAccess } from '@consilium/coordinator/dist/config/operator-access.js';
import { freePort } from '../programs/free-port.js';
import { COORDINATOR_PROGRAM } from '../programs/project.js';

/** Far more than a start takes: the machine may be busy with other things. */
const START_TIMEOUT_MS = 120_000;
/** Of a log, in an error: what a process that failed said last. */
const LOG_END_CHARACTERS = 2000;
const STOP_TIMEOUT_MS = 12_000;

export interface CoordinatorOptions {
  readonly home: string;
  readonly logFile: string;
  /** Options of Node itself, such as --cpu-prof. */
  readonly nodeOptions?: readonly string[];
}

/** The real coordinator in a process of its own, on loopback; started again it listens on the same port. */
export class CoordinatorProcess {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly options: CoordinatorOptions,
    private readonly port: number,
  ) {}

  /** Resolves when it answers. */
  static async start(options: CoordinatorOptions): Promise<CoordinatorProcess> {
    const coordinator = new CoordinatorProcess(options, await freePort());
    await coordinator.restart();
    return coordinator;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const { pid } = this.child ?? {};
    if (pid === undefined) throw new Error('the coordinator is not running');
    return pid;
  }

  /** The operator's, with the token that the coordinator made at its first start. */
  access(): OperatorAccess {
    return { url: this.url, token: readFileSync(join(this.options.home, 'operator.token'), 'utf8').trim() };
  }

  operator(): OperatorLink {
    return new OperatorLink(this.access());
  }

  /** The same command again, after the process has ended. */
  async restart(): Promise<void> {
    this.spawn();
    const deadlineMs = Date.now() + START_TIMEOUT_MS;
    while (!(await this.isHealthy())) {
      if (this.hasEnded() || Date.now() > deadlineMs) {
        const outcome = this.hasEnded() ? 'ended at its start' : `did not answer within ${START_TIMEOUT_MS / 1000} s`;
        throw new Error(`the coordinator ${outcome}; the end of its log, ${this.options.logFile}:\n${this.endOfLog()}`);
      }
      await sleep(20);
    }
  }

  /** Starts it without waiting until it answers. */
  spawn(): void {
    const log = openSync(this.options.logFile, 'a');
    const start = [COORDINATOR_PROGRAM, 'start', '--home', this.options.home, '--port', String(this.port)];
    this.child = spawn(process.execPath, [...(this.options.nodeOptions ?? []), ...start], {
      stdio: ['ignore', log, log],
      detached: true, // Ctrl-C reaches whoever started it, who stops it in order
    });
    closeSync(log);
    this.child.on('error', () => undefined); // seen as a process that has ended
  }

  hasEnded(): boolean {
    return this.child === undefined || this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Returns when the process is gone; SIGKILL follows when it takes too long. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const { child } = this;
    if (child === undefined || this.hasEnded()) return;
    const gone = new Promise<void>((settle) => child.once('exit', () => settle()));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await gone;
    clearTimeout(timer);
  }

  private endOfLog(): string {
    return readFileSync(this.options.logFile, 'utf8').slice(-LOG_END_CHARACTERS).trim();
  }

  private isHealthy(): Promise<boolean> {
    return fetch(`${this.url}/api/health`).then(
      (answer) => answer.ok,
      () => false,
    );
  }
}
