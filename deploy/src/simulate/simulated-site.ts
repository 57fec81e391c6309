import { FederationError } from '@consilium/shared/kernel';
import type { Log } from '@consilium/shared/terminal';
import type { AgentStatus, StatusBoard } from '@consilium/site-agent/dist/agent/agent-status.js';
import type { WeightTransfer } from '@consilium/site-agent/dist/agent/weight-transfer.js';
import type { Disturbance } from './disturbance-trace.js';
import { runLightSite } from './light-site.js';
import type { LightTraining } from './light-trainer.js';
import type { LinkCondition, Relay } from './relay.js';

export interface SimulatedSiteOptions {
  readonly name: string;
  readonly home: string;
  /** Without disturbances. */
  readonly training: LightTraining;
  readonly log: Log;
  /** In front of the coordinator; only a site that has one can be cut, silenced or killed. */
  readonly relay: Relay | undefined;
  /** The agent has ended although nobody asked it to. */
  readonly onEnded: (error: FederationError) => void;
}

/** One site of a simulation: the agent, what it suffers just now, and what it has sent and received. */
export class SimulatedSite {
  uploadedBytes = 0;
  downloadedBytes = 0;
  private board: StatusBoard | undefined;
  private running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  private slowness = 1;
  private wantsToRun = false;

  constructor(private readonly options: SimulatedSiteOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** The agent's own status; undefined before it runs. */
  get status(): AgentStatus | undefined {
    return this.board?.current;
  }

  get isRunning(): boolean {
    return this.running !== undefined;
  }

  start(): void {
    this.wantsToRun = true;
    this.running ??= this.run();
  }

  /** Stops the agent in order; nothing is lost. */
  async stop(): Promise<void> {
    this.wantsToRun = false;
    this.running?.stop.abort();
    await this.running?.ended;
  }

  /** All that disturbs the site now; nothing when the list is empty. */
  suffer(disturbances: readonly Disturbance[]): void {
    const kinds = new Set(disturbances.map(({ kind }) => kind));
    this.slowness = disturbances.reduce((product, { factor }) => product * (factor ?? 1), 1);
    // A dead agent says no farewell: its link goes before it does.
    const condition: LinkCondition = kinds.has('kill') || kinds.has('cut') ? 'cut' : kinds.has('silent') ? 'silent' : 'open';
    this.options.relay?.become(condition);
    if (kinds.has('kill')) void this.stop();
    else this.start();
  }

  private run(): NonNullable<typeof this.running> {
    const { home, training, log, onEnded } = this.options;
    const stop = new AbortController();
    const { durationMs, ...rest } = training;
    const ended = runLightSite(
      {
        home,
        training: { ...rest, durationMs: () => durationMs() * this.slowness },
        log,
        hasStatusPage: false,
        watchTransfer: (transfer) => this.count(transfer),
        onBoard: (board) => (this.board = board),
      },
      stop.signal,
    )
      .catch((thrown: unknown) => onEnded(FederationError.from(thrown)))
      .finally(() => {
        this.running = undefined;
        // Brought back before the old agent was gone.
        if (this.wantsToRun && stop.signal.aborted) this.start();
      });
    return { stop, ended };
  }

  /** Counts weights as they move; what is sent again counts again. */
  private count(transfer: WeightTransfer): WeightTransfer {
    return {
      fetchVersion: (version, path, hooks) => {
        const count = counter((bytes) => (this.downloadedBytes += bytes));
        return transfer.fetchVersion(version, path, { ...hooks, onProgress: count(hooks.onProgress) });
      },
      sendUpdate: (parcel, hooks) => {
        const count = counter((bytes) => (this.uploadedBytes += bytes));
        return transfer.sendUpdate(parcel, { ...hooks, onProgress: count(hooks.onProgress) });
      },
    };
  }
}

type OnProgress = (bytes: number, total: number) => void;

/** Turns totals that may fall back after a cut into what has moved since the last one. */
function counter(add: (bytes: number) => void): (next: OnProgress) => OnProgress {
  let last = 0;
  return (next) => (bytes, total) => {
    if (bytes > last) add(bytes - last);
    last = bytes;
    next(bytes, total);
  };
}
