/** Reads the cases of a task as training and scoring would, so that what is wrong with them is told before hours of training. */
import { FederationError } from '@consilium/shared/kernel';
import type { OrderContext } from '../../trainer/order-context.js';
import type { CheckOrder, CheckResult } from '../../trainer/trainer-messages.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import type { Volume } from '../../volumes/volume.js';
import { CASE_LISTS, type CaseList } from '../tasks/case-entry.js';
import type { CaseFacts, CheckedCase } from './checked-case.js';
import type { ClassificationTask } from '../tasks/classification-task.js';
import type { FinetuneTask } from '../tasks/finetune-task.js';
import { toClassMap } from './labelled-case.js';
import { readCase } from './load-cases.js';
import { cutCase, groupByScan, readImage } from './load-images.js';
import type { PreparedImage } from './prepare-image.js';
import type { SegmentationCase, SegmentationTask } from '../tasks/segmentation-task.js';

type Checking = Pick<OrderContext, 'stop' | 'report' | 'warn'>;

/** Reads one case after the other and keeps none; those that cannot be used do not stop the rest. */
export async function executeCheck({ task }: CheckOrder, context: OrderContext): Promise<CheckResult> {
  return { kind: 'check', cases: await checkCases(task, CASE_LISTS, 'checking', context) };
}

/** TASK_INVALID when a test case cannot be used: told before the training, for after it would be late. */
export async function requireTestCases(task: FinetuneTask, context: Checking): Promise<void> {
  // What there is to remark is remarked when the cases are scored.
  const checked = await checkCases(task, ['test'], 'test cases', { ...context, warn: () => undefined });
  const [first, ...others] = checked.flatMap((entry) => ('problem' in entry ? [entry] : []));
  if (first === undefined) return;
  const more = others.length === 0 ? '' : `; neither can ${others.length} other test cases`;
  throw new FederationError('TASK_INVALID', first.problem + more, { remedy: first.remedy });
}

async function checkCases(
  task: FinetuneTask,
  lists: readonly CaseList[],
  phase: 'checking' | 'test cases',
  context: Checking,
): Promise<CheckedCase[]> {
  const checked: CheckedCase[] = [];
  const total = lists.reduce((sum, list) => sum + task.cases[list].length, 0);
  for (const list of lists) {
    for await (const group of task.kind === 'segmentation' ? segmented(task, list, context) : classified(task, list, context)) {
      checked.push(...group);
      context.report(phase, checked.length, total);
      obeyStop(context.stop);
      await letEventsIn();
    }
  }
  return checked;
}

async function* segmented(task: SegmentationTask, list: CaseList, context: Checking): AsyncGenerator<CheckedCase[]> {
  for (const entry of task.cases[list]) {
    yield [await orProblem(entry.name, list, () => factsOf(entry, task, context))];
  }
}

async function factsOf(entry: SegmentationCase, task: SegmentationTask, context: Checking): Promise<CaseFacts> {
  const { own, prepared, labels } = await readCase(entry, task, context);
  const classVoxels = new Array<number>(task.classes.length).fill(0);
  for (const index of toClassMap(labels, task.classes)) if (index > 0) classVoxels[index - 1] = (classVoxels[index - 1] ?? 0) + 1;
  const known = new Set([0, ...task.classes.flatMap((one) => one.labels)]);
  const otherLabels = [...new Set(labels.map((value) => Math.round(value)))]
    .filter((value) => !known.has(value))
    .sort((a, b) => a - b);
  return { ...factsOfImage(own, prepared), classVoxels, otherLabels };
}

function factsOfImage({ sizeVoxels, spacingMm }: Pick<Volume, 'sizeVoxels' | 'spacingMm'>, prepared: PreparedImage): CaseFacts {
  return { modality: prepared.modality, sizeVoxels, spacingMm, preparedVoxels: prepared.sizeVoxels };
}

async function* classified(task: ClassificationTask, list: CaseList, context: Checking): AsyncGenerator<CheckedCase[]> {
  for (const members of groupByScan(task.cases[list])) {
    let image: ReturnType<typeof readImage> | undefined;
    const checked: CheckedCase[] = [];
    for (const entry of members) {
      // One reading for all patches of a scan; where it fails, all of them have the same problem.
      const facts = async (): Promise<CaseFacts> => {
        image ??= readImage(entry, task, context);
        const { volume, prepared } = await image;
        await cutCase(entry, { volume, prepared }, task);
        return factsOfImage(volume, prepared);
      };
      checked.push(await orProblem(entry.name, list, facts));
    }
    yield checked;
  }
}

async function orProblem(name: string, list: CaseList, read: () => Promise<CaseFacts>): Promise<CheckedCase> {
  try {
    return { name, list, facts: await read() };
  } catch (thrown) {
    const { code, message, remedy } = FederationError.from(thrown);
    if (code !== 'TASK_INVALID') throw thrown;
    return { name, list, problem: message, remedy };
  }
}
