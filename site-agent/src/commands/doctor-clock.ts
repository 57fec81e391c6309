import { formatDuration } from '@consilium/shared/kernel';
import type { Check } from '@consilium/shared/terminal';

/** Less harms nothing that this program does. */
const TOLERATED_MS = 60_000;
/** A Date header tells whole seconds. */
const HALF_A_SECOND_MS = 500;

export interface ClockFacts {
  /** By the answer's Date header, in whole seconds. */
  readonly coordinatorMs: number;
  /** By this computer's clock, before the question and after the answer. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly timeZone: string;
  /** Whether site.yaml or the policy say when this site trains. */
  readonly hasHours: boolean;
}

/** How far this computer's clock is from the coordinator's, and what follows from that. */
export function judgeClock({ coordinatorMs, askedAtMs, answeredAtMs, timeZone, hasHours }: ClockFacts): Check {
  const name = 'clock';
  const aheadMs = (askedAtMs + answeredAtMs) / 2 - (coordinatorMs + HALF_A_SECOND_MS);
  const doubtMs = HALF_A_SECOND_MS + (answeredAtMs - askedAtMs) / 2;
  const zone = hasHours ? `; hours count in the time zone ${timeZone}` : '';
  if (Math.abs(aheadMs) <= doubtMs) return { name, status: 'ok', finding: `agrees with the coordinator’s${zone}` };
  const off = `${formatDuration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the coordinator’s`;
  if (Math.abs(aheadMs) <= TOLERATED_MS) return { name, status: 'ok', finding: `${off}, which does no harm${zone}` };
  const follows = `${hasHours ? 'The hours of this site begin and end' : 'Hours in site.yaml or in a policy would begin and end'} wrong by as much, and so are the times in its logs.`;
  const remedy =
    `${follows} Rounds and the site's identity go on. Switch time synchronisation on ("timedatectl set-ntp true", or the NTP server of ` +
    'your IT department); a container has the clock of its machine. If this clock is right, tell the coordinator’s operator.';
  return { name, status: 'warning', finding: `${off}${zone}`, remedy };
}

/** Undefined for an answer without a date that can be read. */
export function dateOf(header: string | undefined): number | undefined {
  const atMs = Date.parse(header ?? '');
  return Number.isNaN(atMs) ? undefined : atMs;
}
