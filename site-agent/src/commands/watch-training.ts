import { formatShare, systemClock } from '@consilium/shared/kernel';
import type { AgentStatus, StatusBoard } from '../agent/agent-status.js';
import { createProgress, type Log, type LogLevel, type ProgressLine, type TerminalStream } from '@consilium/shared/terminal';

const PLAIN_LINE_MS = 10_000;

/** On a terminal a progress line while the trainer trains; elsewhere a plain line every ten seconds. */
export function watchTraining(board: StatusBoard, log: Log, level: LogLevel, stream: TerminalStream = process.stderr): void {
  if (level !== 'info' && level !== 'debug') return;
  const interactive = stream.isTTY === true;
  let line: ProgressLine | undefined;
  let plainMs = systemClock.nowMs();
  board.onChange((status) => {
    if (status.phase !== 'training' || status.trainerPid === null) {
      line?.finish();
      line = undefined;
      return;
    }
    if (interactive) {
      line ??= createProgress({ label: `round ${status.round ?? '?'}`, total: status.steps, stream });
      line.update(status.step, notes(status));
    } else if (systemClock.nowMs() - plainMs >= PLAIN_LINE_MS) {
      plainMs = systemClock.nowMs();
      log.info(`round ${status.round ?? '?'}: step ${status.step} of ${status.steps}${notes(status)}`);
    }
  });
}

function notes({ loss, dataWait }: AgentStatus): string {
  return (loss === null ? '' : `  loss ${loss.toFixed(4)}`) + (dataWait === null ? '' : `  data ${formatShare(dataWait)}`);
}
