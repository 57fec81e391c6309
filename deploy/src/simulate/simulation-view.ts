import { formatDuration } from '@consilium/shared/kernel';
import { formatBar } from '@consilium/shared/terminal';
import type { CampaignEvent, ParticipationState } from '@consilium/shared/wire';
import type { AgentPhase } from '@consilium/site-agent/dist/agent/agent-status.js';

/** What is known of a site from outside the coordinator. */
export interface SiteGlance {
  readonly phase: AgentPhase | undefined;
  readonly isConnected: boolean;
}

/** The state of a simulation as the coordinator's events tell it; pure, so that it is tested without processes. */
export class SimulationView {
  private round = 0;
  private finishedRounds = 0;
  private plannedAtMs = 0;
  private readonly states = new Map<string, ParticipationState>();

  constructor(
    private readonly sites: number,
    private readonly rounds: number,
    private readonly startedMs: number,
  ) {}

  /** Takes one event in; returns the line that stays for a round that has ended. */
  apply(event: CampaignEvent): string | undefined {
    if (event.kind === 'participation' && event.roundNumber === this.round) this.states.set(event.siteName, event.state);
    if (event.kind !== 'round') return undefined;
    if (event.state === 'planned') {
      this.round = event.roundNumber;
      this.plannedAtMs = event.atMs;
      this.states.clear();
    }
    if (event.state !== 'finished' && event.state !== 'failed') return undefined;
    if (event.state === 'finished') this.finishedRounds = event.roundNumber;
    const outcome = event.versionDigest?.slice(-64).slice(0, 12) ?? event.code ?? '';
    const seconds = ((event.atMs - this.plannedAtMs) / 1000).toFixed(2);
    return `round ${event.roundNumber} of ${this.rounds} ${event.state} in ${seconds} s: ${this.counts()}  ${outcome}`;
  }

  /** The live block: the round, what the sites do, how far the whole is. */
  lines(glances: readonly SiteGlance[], nowMs: number): string[] {
    const phases = new Map<string, number>();
    for (const { phase, isConnected } of glances) {
      const what = !isConnected ? 'away' : (phase ?? 'starting');
      phases.set(what, (phases.get(what) ?? 0) + 1);
    }
    const doing = [...phases].sort(([, a], [, b]) => b - a).map(([what, count]) => `${count} ${what}`);
    const share = this.finishedRounds / this.rounds;
    return [
      `round ${Math.max(1, this.round)} of ${this.rounds}: ${this.counts()}`,
      `sites: ${doing.join(', ')}`,
      `${formatBar(share)}  ${formatDuration(nowMs - this.startedMs)} so far`,
    ];
  }

  private counts(): string {
    const countOf = (state: ParticipationState): number => [...this.states.values()].filter((each) => each === state).length;
    const late = countOf('late');
    const failed = countOf('failed') + countOf('declined');
    const quarantined = countOf('quarantined');
    return [
      `${countOf('delivered')}/${this.sites} delivered`,
      ...(late > 0 ? [`${late} late`] : []),
      ...(failed > 0 ? [`${failed} failed`] : []),
      ...(quarantined > 0 ? [`${quarantined} quarantined`] : []),
    ].join(', ');
  }
}
