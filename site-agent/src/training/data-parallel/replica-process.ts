import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { FederationError } from '@consilium/shared/kernel';
import { inheritedEnvironment } from '../../config/inherited-environment.js';
import { runtimeSearch } from '../../config/runtime-search.js';
import { describeDevice } from '../../engine/devices/choose-devices.js';
import { deviceEnvironment } from '../../engine/devices/device-environment.js';
import { locateRuntime, runtimeEnvironment } from '../../engine/runtime/locate-runtime.js';
import { type FailureMessage, rebuildFailure } from '../../trainer/failure-message.js';
import { LastWords } from '../../trainer/last-words.js';
import { countMemoryKills, explainExit } from '../../trainer/trainer-exit.js';
import { FrameChannel } from './frame-channel.js';
import { FRAMES_DESCRIPTOR, type ReplicaOrder } from './replica-order.js';

// The same relative path from src/ and from dist/: replicas always run the built program.
const REPLICA_PROGRAM = fileURLToPath(new URL('../../../dist/training/data-parallel/replica-main.js', import.meta.url));
const LEAVE_GRACE_MS = 2_000;

/** One further trainer of this site, started by the first one and ended with it. */
export class ReplicaProcess {
  readonly channel: FrameChannel;
  /** Rejects when the process has ended before {@link close}: with the error it reported, or what its end tells. */
  readonly lost: Promise<never>;
  private readonly process: ChildProcess;
  private readonly lastWords: LastWords;
  private readonly memoryKillsBefore = countMemoryKills();
  private readonly ended: Promise<void>;
  private failure: FailureMessage | undefined;

  constructor(private readonly order: ReplicaOrder) {
    this.process = fork(requireProgram(), [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
      execArgv: [],
      env: replicaEnvironment(order),
    });
    this.channel = new FrameChannel(this.process.stdio[FRAMES_DESCRIPTOR] as Duplex);
    this.lastWords = new LastWords(this.process);
    this.process.on('message', (message) => (this.failure = message as FailureMessage));
    // A dead replica's frames are of no use: its socket is closed at once, or its end would never be noticed unread.
    this.process.once('exit', () => this.channel.end());
    const stderrRead = new Promise<void>((resolve) => this.process.stderr?.once('close', resolve));
    this.ended = Promise.race([
      // Messages and last words may still be on their way when the process has exited. ("close" never comes after a
      // disconnect from this side.)
      Promise.all([this.once('exit'), this.once('disconnect'), stderrRead]),
      this.once('error'), // it could not be started at all
    ]).then(() => undefined);
    this.lost = this.ended.then(() => {
      throw this.explain();
    });
    this.lost.catch(() => undefined); // whoever waits gets it; an end that was asked for is no error
    this.process.send(order, () => undefined); // a process that is gone is explained by its end
  }

  get pid(): number | undefined {
    return this.process.pid;
  }

  /** Ends it; nothing is lost, for all it has the leader has too. Returns when it has ended. */
  async close(): Promise<void> {
    if (this.process.connected) this.process.disconnect();
    this.channel.end();
    const timer = setTimeout(() => this.process.kill('SIGKILL'), LEAVE_GRACE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  private once(event: 'exit' | 'disconnect' | 'error'): Promise<void> {
    return new Promise((resolve) => this.process.once(event, () => resolve()));
  }

  private explain(): FederationError {
    const who = `${describeDevice(this.order.device)}: `;
    if (this.failure !== undefined) return rebuildFailure(this.failure, who);
    const { code, message, details, retryable, remedy } = explainExit({
      exitCode: this.process.exitCode,
      signal: this.process.signalCode,
      lastWords: this.lastWords.text(),
      stopRequested: false,
      memoryKill: countMemoryKills() > this.memoryKillsBefore,
    });
    return new FederationError(code, who + message, { details, retryable, remedy });
  }
}

function requireProgram(): string {
  if (existsSync(REPLICA_PROGRAM)) return REPLICA_PROGRAM;
  throw new FederationError('TRAINER_DIED', 'the program of further trainers is not built', {
    remedy: 'Run "npm run setup" in the project folder.',
  });
}

/** The device and the CUDA libraries must be named before the process starts. */
function replicaEnvironment({ device, tf32 }: ReplicaOrder): NodeJS.ProcessEnv {
  const inherited = inheritedEnvironment();
  const libraries = runtimeEnvironment(locateRuntime(runtimeSearch()), inherited['LD_LIBRARY_PATH']);
  return { ...inherited, ...libraries, ...deviceEnvironment(device, { tf32 }) };
}
