import type {
  CheckOrder,
  CheckResult,
  ClassifyResult,
  FinetuneResult,
  LabelledPretrainOrder,
  LabelledPretrainResult,
  ProfileOrder,
  ProfileResult,
  RecipeOrder,
  RecipeResult,
  SegmentResult,
  TrainerOrder,
  TrainerProgress,
  TrainerResult,
} from '../trainer/trainer-messages.js';
import { TrainerProcess } from '../trainer/trainer-process.js';
import { FederationError, formatShare } from '@consilium/shared/kernel';
import { describeStepFigures } from '@consilium/shared/wire';
import { caseCount } from '../finetuning/tasks/finetune-task.js';
import type { TrainerDesk } from '../finetuning/finetune-and-evaluate.js';
import { createProgress, eraseLine, formatCount, type ProgressLine } from '@consilium/shared/terminal';

/** What commands ask for beyond fine-tuning's own orders. */
interface CommandDesk extends TrainerDesk {
  check(order: CheckOrder, label: string): Promise<CheckResult>;
  pretrain(order: RecipeOrder, label: string): Promise<RecipeResult>;
  profile(order: ProfileOrder, label: string, steps: number): Promise<ProfileResult>;
  pretrainLabelled(order: LabelledPretrainOrder): Promise<LabelledPretrainResult>;
}

/** Orders from the command line: a trainer process for each, one progress line each, Ctrl-C stops and keeps what is done. */
export function openTrainerDesk(): CommandDesk {
  return {
    finetune: async (order, label) => expectKind<FinetuneResult>(await give(order, label, order.task.training.steps), 'finetune'),
    check: async (order, label) => expectKind<CheckResult>(await give(order, label, caseCount(order.task)), 'check'),
    segment: async (order, label) => expectKind<SegmentResult>(await give(order, label, order.images.length), 'segment'),
    pretrain: async (order, label) => expectKind<RecipeResult>(await give(order, label, undefined), 'recipe'),
    classify: async (order, label) => expectKind<ClassifyResult>(await give(order, label, order.images.length), 'classify'),
    profile: async (order, label, steps) => expectKind<ProfileResult>(await give(order, label, steps), 'profile'),
    pretrainLabelled: async (order) =>
      expectKind<LabelledPretrainResult>(await give(order, order.recipe.name, order.recipe.training.steps), 'pretrain-labelled'),
  };
}

/** Without a total, which the trainer then tells, the line begins with the training. */
async function give(order: TrainerOrder, label: string, total: number | undefined): Promise<TrainerResult> {
  const line = total === undefined ? trainingLine(label) : createProgress({ label, total });
  const say = (text: string): void => console.error(`${process.stderr.isTTY ? eraseLine(process.stderr) : ''}${text}`);
  const trainer = new TrainerProcess({ onAnnouncement: say, onWarning: (text) => say(`warning: ${text}`) });
  const handle = trainer.start(order, showOn(line));
  const stop = (): void => {
    console.error(`\nstopping; ${whatThen(order)}`);
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

/** Training keeps checkpoints; answers and checks are kept when all of them are there. */
function whatThen({ kind }: TrainerOrder): string {
  const isTraining = kind === 'finetune' || kind === 'recipe' || kind === 'pretrain-labelled';
  return `the same command ${isTraining ? 'continues where this one stood' : 'does this part again from its beginning'}`;
}

/** What a trainer's progress is drawn on. */
interface OrderLine extends Pick<ProgressLine, 'finish'> {
  update(done: number, note?: string, total?: number): void;
}

function trainingLine(label: string): OrderLine {
  let line: ProgressLine | undefined;
  return {
    update: (done, note, total) => {
      if (line === undefined && total !== undefined) line = createProgress({ label, total });
      line?.update(done, note);
    },
    finish: () => line?.finish(),
  };
}

const STEP_PHASES: ReadonlySet<string> = new Set(['training', 'checking', 'segmenting', 'classifying', 'profiling', 'validated']);

/** Training, checking, segmenting and classifying move the line; the phases between only change its note. */
function showOn(line: OrderLine): (progress: TrainerProgress) => void {
  let done = 0;
  return (progress) => {
    const { phase, step, steps } = progress;
    const isStep = STEP_PHASES.has(phase);
    if (isStep) done = step;
    const note = isStep ? noteOfSteps(progress) : `${phase} ${formatCount(step)}/${steps}`;
    line.update(done, note, isStep ? steps : undefined);
  };
}

function noteOfSteps({ phase, loss, figures = {}, waitedShare }: TrainerProgress): string | undefined {
  if (loss === undefined) return undefined;
  const parts = [`${phase === 'validated' ? 'validation loss' : 'loss'} ${loss.toFixed(3)}`, describeStepFigures(figures)];
  if (waitedShare !== undefined) parts.push(`data ${formatShare(waitedShare)}`);
  return parts.filter((part) => part !== '').join('  ');
}

function expectKind<Result extends TrainerResult>(result: TrainerResult, kind: Result['kind']): Result {
  if (result.kind === kind) return result as Result;
  throw new FederationError('INVARIANT', `the trainer answered ${result.kind} to an order of ${kind}`);
}
