import type { LinkState } from '../link/coordinator-link.js';
import { NO_POLICY } from '../policy/policy-file.js';
import { type PolicyView, policyView } from '../policy/policy-view.js';

export const AGENT_PHASES = [
  'starting',
  'idle',
  'waiting',
  'resting',
  'preparing',
  'downloading',
  'training',
  'scoring',
  'uploading',
  'stopping',
] as const;
export type AgentPhase = (typeof AGENT_PHASES)[number];

/** What the status page shows: numbers, codes and names of campaigns; no path, no file name. */
export interface AgentStatus {
  readonly siteName: string;
  readonly coordinatorUrl: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly connection: LinkState['kind'];
  /** Why the coordinator is not reached, and when the agent tries again. */
  readonly connectionReason: string | null;
  readonly retryInMs: number | null;
  readonly phase: AgentPhase;
  /** When the hours begin in which this site trains; null while they last. */
  readonly restUntilMs: number | null;
  readonly campaign: string | null;
  readonly round: number | null;
  readonly rounds: number | null;
  /** The version being scored. */
  readonly version: number | null;
  readonly step: number;
  readonly steps: number;
  readonly loss: number | null;
  /** The last reported losses of this round, oldest first, at most 64. */
  readonly recentLosses: readonly number[];
  /** The share of the time in which the last steps waited for their patches. */
  readonly dataWait: number | null;
  readonly trainerPid: number | null;
  /** Updates that the coordinator has accepted since the agent started. */
  readonly deliveredUpdates: number;
  readonly volumes: number;
  /** The site's own rules, as they are now. */
  readonly policy: PolicyView;
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | null;
  readonly versions: { readonly agent: string; readonly protocol: number; readonly node: string };
}

const KEPT_LOSSES = 64;
export type StatusChange = Partial<AgentStatus>;

/** The current status; listeners hear each change. */
export class StatusBoard {
  private readonly listeners: ((status: AgentStatus) => void)[] = [];

  constructor(private status: AgentStatus) {}

  get current(): AgentStatus {
    return this.status;
  }

  onChange(listener: (status: AgentStatus) => void): void {
    this.listeners.push(listener);
  }

  update(change: StatusChange): void {
    this.status = { ...this.status, ...change };
    for (const listener of this.listeners) listener(this.status);
  }

  progress(phase: AgentPhase, step: number, steps: number, loss?: number, waitedShare?: number): void {
    const { recentLosses } = this.status;
    const losses = loss === undefined ? {} : { loss, recentLosses: [...recentLosses, loss].slice(-KEPT_LOSSES) };
    this.update({ phase, step, steps, dataWait: waitedShare ?? null, ...losses });
  }
}

/** A fresh status of an agent that has just started. */
export function initialStatus(
  known: Pick<AgentStatus, 'siteName' | 'coordinatorUrl' | 'startedAtMs' | 'volumes' | 'versions'>,
): AgentStatus {
  return {
    ...known,
    pid: process.pid,
    connection: 'closed',
    connectionReason: null,
    retryInMs: null,
    phase: 'starting',
    restUntilMs: null,
    campaign: null,
    round: null,
    rounds: null,
    version: null,
    step: 0,
    steps: 0,
    loss: null,
    recentLosses: [],
    dataWait: null,
    trainerPid: null,
    deliveredUpdates: 0,
    policy: policyView(NO_POLICY),
    lastError: null,
  };
}
