import { formatBytes, formatDuration } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { CampaignState, CampaignView, ParticipationState } from '@consilium/shared/wire';

export interface SimulatedRound {
  readonly number: number;
  readonly state: string;
  /** From planned to finished. */
  readonly seconds: number | null;
  readonly delivered: number;
  readonly quarantined: number;
  readonly late: number;
  readonly failed: number;
  readonly digest: string | null;
}

export interface SimulationSummary {
  readonly sites: number;
  readonly parameters: number;
  readonly state: CampaignState;
  readonly rounds: readonly SimulatedRound[];
  readonly seconds: number;
  /** Weights that moved, all sites together. */
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  /** The most memory that the coordinator held; null where the system does not tell. */
  readonly coordinatorPeakMiB: number | null;
  readonly disturbances: number;
  readonly versionNumber: number;
  readonly digest: string;
}

/** One line per attempt at a round, from the coordinator's own view. */
export function summariseRounds({ roundViews }: CampaignView): SimulatedRound[] {
  return roundViews.map(({ number, state, startedAtMs, finishedAtMs, participations, version }) => {
    const countOf = (...wanted: ParticipationState[]): number =>
      participations.filter((participation) => wanted.includes(participation.state)).length;
    return {
      number,
      state,
      seconds: startedAtMs === null || finishedAtMs === null ? null : (finishedAtMs - startedAtMs) / 1000,
      delivered: countOf('delivered'),
      quarantined: countOf('quarantined'),
      late: countOf('late'),
      failed: countOf('failed', 'declined'),
      digest: version?.digest ?? null,
    };
  });
}

/** The end of the terminal's story. */
export function describeSummary(summary: SimulationSummary): string[] {
  const { sites, parameters, state, rounds, seconds, uploadedBytes, downloadedBytes, coordinatorPeakMiB } = summary;
  const rows = rounds.map((round) => [
    String(round.number),
    round.state,
    round.seconds === null ? '–' : `${round.seconds.toFixed(2)} s`,
    String(round.delivered),
    String(round.late),
    String(round.failed),
    String(round.quarantined),
  ]);
  const memory = coordinatorPeakMiB === null ? '' : `, coordinator at most ${coordinatorPeakMiB.toFixed(0)} MiB`;
  return [
    formatTable(['round', 'state', 'time', 'delivered', 'late', 'failed', 'quarantined'], rows),
    `campaign ${state} after ${formatDuration(1000 * seconds)}: ${sites} sites, ${parameters} parameters${memory}`,
    `weights moved: ${formatBytes(uploadedBytes)} up, ${formatBytes(downloadedBytes)} down; ${summary.disturbances} disturbances`,
    `version ${summary.versionNumber}: ${summary.digest}`,
  ];
}
