import { formatBytes, formatDuration, formatShare } from '@consilium/shared/kernel';
import { describeMonitorChange, describeSkill, partOfRound, type RoundPlan } from '@consilium/shared/wire';
import type { PretrainResult } from '../trainer/trainer-messages.js';

/** What a round's work at this site came to, on one line of its log. */
export function describeTrained(
  { objective, roundNumber }: Pick<RoundPlan, 'objective' | 'roundNumber'>,
  { report, peakResidentBytes }: Pick<PretrainResult, 'report' | 'peakResidentBytes'>,
): string {
  const { baseScore, meanLoss, monitors, trainingMs, waitedMs } = report;
  const done = partOfRound(objective, roundNumber) === 'adversary' ? 'done' : 'trained';
  return (
    `round ${roundNumber}: ${done} in ${formatDuration(trainingMs)}` +
    (meanLoss === undefined ? '' : `, mean loss ${meanLoss.toFixed(4)}`) +
    (baseScore === undefined ? '' : `, skill of the base ${describeSkill(baseScore)}`) +
    (waitedMs === undefined ? '' : `, ${formatShare(waitedMs / Math.max(1, trainingMs))} of the time waiting for patches`) +
    (peakResidentBytes === undefined ? '' : `, at most ${formatBytes(peakResidentBytes)} of memory`) +
    (monitors === undefined ? '' : `; from the base to the update: ${describeMonitorChange(monitors.base, monitors.trained)}`)
  );
}
