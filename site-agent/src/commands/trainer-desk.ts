import type {
  ClassifyResult,
  FinetuneResult,
  ProfileOrder,
  ProfileResult,
  SegmentResult,
  TrainerOrder,
  TrainerProgress,
  TrainerResult,
} from '../trainer/trainer-messages.js';
import { TrainerProcess } from '../trainer/trainer-process.js';
import { FederationError, formatShare } from '@consilium/shared/kernel';
import type { TrainerDesk } from '../finetuning/finetune-and-evaluate.js';
import { createProgress, type ProgressLine } from '@consilium/shared/terminal';

/** What commands ask for beyond fine-tuning's own orders. */
interface CommandDesk extends TrainerDesk {
  profile(order: ProfileOrder, label: string, steps: number): Promise<ProfileResult>;
}

/** Orders from the command line: a trainer process for each, one progress line each, Ctrl-C stops and keeps what is done. */
export function openTrainerDesk(): CommandDesk {
  return {
    finetune: async (order, label) => expectKind<FinetuneResult>(await give(order, label, order.task.training.steps), 'finetune'),
    segment: async (order, label) => expectKind<SegmentResult>(await give(order, label, order.images.length), 'segment'),
    classify: async (order, label) => expectKind<ClassifyResult>(await give(order, label, order.images.length), 'classify'),
    profile: async (order, label, steps) => expectKind<ProfileResult>(await give(order, label, steps), 'profile'),
  };
}

async function give(order: TrainerOrder, label: string, total: number): Promise<TrainerResult> {
  const line = createProgress({ label, total });
  const trainer = new TrainerProcess({
    onAnnouncement: (text) => console.error(text),
    onWarning: (text) => console.error(`warning: ${text}`),
  });
  const handle = trainer.start(order, showOn(line));
  const stop = (): void => {
    console.error('\nstopping; the same command continues where this one stood');
    void handle.stop();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const result = await handle.finished;
    line.finish();
    return result;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}

const STEP_PHASES: ReadonlySet<string> = new Set(['training', 'segmenting', 'classifying', 'profiling', 'validated']);

/** Training, segmenting and classifying move the line; the phases between only change its note. */
function showOn(line: ProgressLine): (progress: TrainerProgress) => void {
  let done = 0;
  return ({ phase, step, steps, loss, waitedShare }) => {
    const isStep = STEP_PHASES.has(phase);
    if (isStep) done = step;
    const kind = phase === 'validated' ? 'validation loss' : 'loss';
    const wait = waitedShare === undefined ? '' : `  data ${formatShare(waitedShare)}`;
    line.update(
      done,
      isStep ? (loss === undefined ? undefined : `${kind} ${loss.toFixed(3)}${wait}`) : `${phase} ${step}/${steps}`,
    );
  };
}

function expectKind<Result extends TrainerResult>(result: TrainerResult, kind: Result['kind']): Result {
  if (result.kind === kind) return result as Result;
  throw new FederationError('INVARIANT', `the trainer answered ${result.kind} to an order of ${kind}`);
}
