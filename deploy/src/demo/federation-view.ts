import type { CampaignEvent, ParticipationState, ProbeScore } from '@consilium/shared/wire';
import { formatDuration } from '@consilium/shared/kernel';
import { formatBar } from '@consilium/shared/terminal';

/** What the terminal shows of one hospital. */
interface HospitalView {
  readonly name: string;
  readonly summary: string;
  activity: string;
  step: number;
  steps: number;
  loss: number | undefined;
  score: ProbeScore | undefined;
}

/** The state of the whole federation as the coordinator's events tell it; pure, so that it is tested without processes. */
export class FederationView {
  private readonly hospitals: HospitalView[];
  private round = 0;
  private finishedRounds = 0;

  constructor(
    hospitals: readonly { name: string; summary: string }[],
    private readonly rounds: number,
    private readonly startedMs: number,
  ) {
    this.hospitals = hospitals.map(({ name, summary }) => ({
      name,
      summary,
      activity: 'waiting',
      step: 0,
      steps: 0,
      loss: undefined,
      score: undefined,
    }));
  }

  /** Takes one event in; returns the line that a log should keep of it, if any. */
  apply(event: CampaignEvent): string | undefined {
    switch (event.kind) {
      case 'campaign':
        return event.state === 'scoring' ? 'all rounds finished; the hospitals score the last version' : undefined;
      case 'round':
        return this.applyRound(event);
      case 'participation':
        return this.applyParticipation(event.siteName, event.state, event.code);
      case 'progress':
        this.applyProgress(event.siteName, event.progress);
        return undefined;
      case 'score':
        return this.applyScore(event.siteName, event.versionNumber, event.score);
    }
  }

  /** The live block: one line per hospital, one for the campaign. */
  lines(nowMs: number): string[] {
    const name = Math.max(...this.hospitals.map((hospital) => hospital.name.length));
    const summary = Math.max(...this.hospitals.map((hospital) => hospital.summary.length));
    const rows = this.hospitals.map((hospital) => {
      const share = hospital.steps === 0 ? 0 : hospital.step / hospital.steps;
      const loss = hospital.loss === undefined ? '' : `loss ${hospital.loss.toFixed(4)}`;
      const skill = hospital.score === undefined ? '' : `skill ${hospital.score.skill.toFixed(2)}`;
      const steps = hospital.steps === 0 ? '' : `${hospital.step}/${hospital.steps}`;
      return `  ${hospital.name.padEnd(name)}  ${hospital.summary.padEnd(summary)}  ${formatBar(share, 20)} ${steps.padStart(7)}  ${loss.padEnd(11)}  ${skill.padEnd(11)}  ${hospital.activity}`;
    });
    return [...rows, `  ${this.campaignLine(nowMs)}`];
  }

  private campaignLine(nowMs: number): string {
    const elapsedMs = nowMs - this.startedMs;
    const share = this.share();
    const left = share > 0.02 ? `about ${formatDuration((elapsedMs * (1 - share)) / share)} left` : '';
    return `round ${Math.max(1, this.round)} of ${this.rounds}  ${formatBar(share, 20)}  ${formatDuration(elapsedMs)} so far  ${left}`.trimEnd();
  }

  /** Finished share of the campaign: whole rounds, and the mean of the hospitals' steps within the current one. */
  private share(): number {
    if (this.finishedRounds >= this.rounds) return 1;
    const within = this.hospitals.map((hospital) => (hospital.steps === 0 ? 0 : hospital.step / hospital.steps));
    const mean = within.reduce((sum, value) => sum + value, 0) / within.length;
    return Math.min(1, (this.finishedRounds + (this.round > this.finishedRounds ? mean : 0)) / this.rounds);
  }

  private applyRound(event: Extract<CampaignEvent, { kind: 'round' }>): string | undefined {
    if (event.roundNumber > this.round) {
      this.round = event.roundNumber;
      for (const hospital of this.hospitals) {
        hospital.step = 0;
        hospital.activity = 'invited';
      }
    }
    if (event.state === 'finished') {
      this.finishedRounds = event.roundNumber;
      return `round ${event.roundNumber} of ${this.rounds}: finished, version ${event.roundNumber + 1} is ${event.versionDigest?.slice(7, 19) ?? '?'}`;
    }
    if (event.state === 'failed') return `round ${event.roundNumber} of ${this.rounds}: failed (${event.code ?? 'no code'})`;
    return event.state === 'inviting' ? `round ${event.roundNumber} of ${this.rounds}: hospitals are invited` : undefined;
  }

  private applyParticipation(siteName: string, state: ParticipationState, code?: string): string | undefined {
    const hospital = this.hospital(siteName);
    if (hospital === undefined) return undefined;
    hospital.activity = code === undefined ? state : `${state} (${code})`;
    if (state === 'delivered')
      return `  ${siteName}: update delivered${hospital.loss === undefined ? '' : `, loss ${hospital.loss.toFixed(4)}`}`;
    return ['declined', 'late', 'failed'].includes(state) ? `  ${siteName}: ${hospital.activity}` : undefined;
  }

  private applyProgress(
    siteName: string,
    progress: { phase: string; step: number; steps: number; loss?: number | undefined },
  ): void {
    const hospital = this.hospital(siteName);
    if (hospital === undefined) return;
    hospital.activity = progress.phase;
    if (progress.phase !== 'training') return;
    hospital.step = progress.step;
    hospital.steps = progress.steps;
    hospital.loss = progress.loss ?? hospital.loss;
  }

  private applyScore(siteName: string, versionNumber: number, score: ProbeScore): string | undefined {
    const hospital = this.hospital(siteName);
    if (hospital === undefined) return undefined;
    hospital.score = score;
    return `  ${siteName}: version ${versionNumber} restores its probe with error ${score.restorationError.toFixed(4)}, skill ${score.skill.toFixed(2)}`;
  }

  private hospital(siteName: string): HospitalView | undefined {
    return this.hospitals.find(({ name }) => name === siteName);
  }
}
