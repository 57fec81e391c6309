import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { StepFailed } from './step-failed.js';

/** How long a program may take to stop by itself before it is killed. */
const STOP_GRACE_MS = 8000;

/** A long-running program and where its output goes. */
export interface Program {
  readonly label: string;
  readonly logFile: string;
  /** Settles when the program has ended; rejects when it ended by itself with another status than 0. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/**
 * Every process that a demonstration or a protocol starts, so that all of them are stopped at the end, after an error and after
 * Ctrl-C. The programs run in the background of the terminal: Ctrl-C reaches the one that started them alone, which stops them in
 * order.
 */
export class ProgramGroup {
  private readonly running = new Map<ChildProcess, Program>();
  private stopping = false;

  /** Starts a program that runs until it is stopped; its output goes to the log file. */
  start(label: string, script: string, args: readonly string[], logFile: string): Program {
    this.requireGoingOn(label);
    mkdirSync(dirname(logFile), { recursive: true });
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', log, log], detached: true });
    let asked = false;
    const ended = new Promise<void>((settle, reject) => {
      child.once('error', reject);
      child.once('exit', (status, signal) => {
        this.running.delete(child);
        if (asked || this.stopping || status === 0) settle();
        else reject(endedEarly(label, status ?? signal ?? 'unknown', logFile));
      });
    });
    ended.catch(() => undefined); // whoever awaits `ended` hears of it
    const stop = async (): Promise<void> => {
      asked = true;
      await stopChild(child);
    };
    const program: Program = { label, logFile, ended, stop };
    this.running.set(child, program);
    return program;
  }

  /**
   * Runs a command to its end and returns what it printed; on failure throws with the command's own last lines.
   * With `isVisible` its standard error, where progress goes, is the terminal's own, so that bars are drawn in place.
   */
  async run(label: string, script: string, args: readonly string[], logFile: string, isVisible = false): Promise<string> {
    this.requireGoingOn(label);
    mkdirSync(dirname(logFile), { recursive: true });
    const log = createWriteStream(logFile, { flags: 'a' });
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', isVisible ? 'inherit' : 'pipe'],
      detached: true,
    });
    const keep = (stream: Readable | null): string[] => {
      const texts: string[] = [];
      stream?.setEncoding('utf8').on('data', (text: string) => {
        texts.push(text);
        log.write(text);
      });
      return texts;
    };
    const [output, complaints] = [keep(child.stdout), keep(child.stderr)];
    const program: Program = { label, logFile, ended: Promise.resolve(), stop: () => stopChild(child) };
    this.running.set(child, program);
    const status = await new Promise<number | string>((settle, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => settle(code ?? signal ?? 'unknown'));
    }).finally(() => {
      this.running.delete(child);
      log.end();
    });
    if (status === 0) return output.join('');
    const said = complaints.join('').trim().split('\n').slice(-3).join('\n  ');
    throw new StepFailed(`${label} failed:\n  ${said}\n  Its log: ${logFile}`, typeof status === 'number' ? status : 70);
  }

  /** Nothing new is started once everything is being stopped. */
  private requireGoingOn(label: string): void {
    if (this.stopping) throw new StepFailed(`${label} is not started: everything is being stopped.`, 130);
  }

  /** Stops everything that still runs: sites first, then the coordinator, as they were started in the other order. */
  async stopAll(): Promise<void> {
    this.stopping = true;
    const latestFirst = [...this.running.values()].reverse();
    for (const program of latestFirst) await program.stop();
  }
}

function endedEarly(label: string, status: number | string, logFile: string): StepFailed {
  return new StepFailed(
    `${label} ended by itself with ${status}.\n  Its log: ${logFile}`,
    typeof status === 'number' ? status : 70,
  );
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((settle) => child.once('exit', () => settle()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await gone;
  clearTimeout(timer);
}
