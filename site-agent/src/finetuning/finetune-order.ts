/** Fine-tuning for segmentation in the trainer process (spec A7): nothing frozen, Adam, plateau schedule, best weights kept. */
import { rm } from 'node:fs/promises';
import { type Digest, digestOfFile, digestOfJson } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec, type VoxelModelSpec } from '@consilium/shared/models';
import { inManifestOrder, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { FinetuneOrder, FinetuneResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { CheckpointStore } from '../training/checkpoint.js';
import { chooseMemory } from '../training/choose-memory.js';
import { Learner } from '../training/learner.js';
import { prepareFolder } from '../training/round-folder.js';
import { type FinetuneFolder, finetuneFolder, makeFolder } from './finetune-folder.js';
import { type FinetuneHistory, type FinetuneOutcome, readHistory, writeHistory } from './finetune-history.js';
import { requireEveryClass } from './labelled-case.js';
import { digestOfImage, loadCases } from './load-cases.js';
import { readModelFile, requireVoxelModel, type SegmentationFacts, writeModelFile } from './model-file.js';
import { type CaseFiles, imagePlanOf, type SegmentationTask } from './segmentation-task.js';
import { SCRATCH } from './task-file.js';
import { type Finetuning, type Trained, trainSegmentation } from './train-segmentation.js';
import { scratchWeights, type Transfer, transferWeights } from './transfer-weights.js';
import { outlook } from './validation-history.js';

/** Does the order, continues what a killed attempt left, or returns at once what an earlier one finished. */
export async function executeFinetune(order: FinetuneOrder, context: OrderContext): Promise<FinetuneResult> {
  const folder = finetuneFolder(order.outputFolder);
  await makeFolder(folder.path);
  const start = await openStart(order.task);
  const work = await nameWork(order.task, start);
  const known = await readHistory(folder.historyFile, work);
  if (known?.outcome && (await isIntact(folder, known.outcome))) return asResult(folder, start, known, known.outcome);

  await prepareFolder(folder.workFolder);
  const cases = await loadLists(order.task, context);
  const learner = await createLearner(order, start, folder, context);
  try {
    learner.loadWeights(start.weights);
    const checkpoints = new CheckpointStore(folder.workFolder, work, (text) => context.warn(text));
    const trained = await trainSegmentation(
      { task: order.task, context, folder, learner, checkpoints, cases },
      known ?? newHistory(order.task, work, start),
    );
    return await deliver(order.task, folder, start, trained, learner);
  } finally {
    learner.dispose();
  }
}

/** Where training begins: the network, its weights and, from a model, the model's digest. */
interface Start extends Transfer {
  readonly spec: VoxelModelSpec;
  readonly digest: Digest | null;
}

async function openStart({ start, model, classes, training }: SegmentationTask): Promise<Start> {
  const outputs = classes.length;
  if (start.from === SCRATCH) {
    const spec = { ...model, inputChannels: 1, outputs };
    return { spec, digest: null, ...scratchWeights(spec, training.seed) };
  }
  const source = await readModelFile(start.from);
  const spec = { ...requireVoxelModel(source, model), outputs };
  return { spec, digest: source.digest, ...transferWeights(spec, source.weights, training.seed, start.outputLayer) };
}

/** Names the work by all that decides its outcome: the data's bytes, the schedule, the network and the start. */
async function nameWork(task: SegmentationTask, { spec, digest }: Start): Promise<Digest> {
  const { classes, patchSizeVoxels, training } = task;
  const [train, validation] = [await digestsOf(task.cases.train), await digestsOf(task.cases.validation)];
  return digestOfJson({
    train,
    validation,
    start: digest,
    output: task.start.outputLayer,
    spec,
    ...imagePlanOf(task),
    classes,
    patchSizeVoxels,
    training,
  });
}

async function digestsOf(cases: readonly CaseFiles[]): Promise<Digest[][]> {
  const digests: Digest[][] = [];
  for (const entry of cases) digests.push([await digestOfImage(entry), await digestOfFile(entry.label)]);
  return digests;
}

function newHistory(task: SegmentationTask, work: Digest, { digest, loaded, fresh }: Start): FinetuneHistory {
  return {
    task: task.name,
    work,
    startedFrom: digest ?? SCRATCH,
    loadedParameters: [...loaded],
    freshParameters: [...fresh],
    validations: [],
    outcome: null,
  };
}

async function createLearner(
  { task, limits }: FinetuneOrder,
  { spec }: Start,
  { memoryFile }: FinetuneFolder,
  context: OrderContext,
): Promise<Learner> {
  const { learningRate, loss, batchSize } = task.training;
  const optimizer = { kind: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
  const runtime = openTrainerRuntime(limits, context);
  const options = { spec, optimizer, loss };
  const memory = await chooseMemory(
    { ...options, patches: batchSize, predictedPatches: 1, sizeVoxels: task.patchSizeVoxels },
    { runtime, context, batchThreads: 0, limitBytes: limits.memoryBytes, recordFile: memoryFile },
  );
  return Learner.create({ ...options, ...memory, runtime });
}

async function loadLists(task: SegmentationTask, context: OrderContext): Promise<Finetuning['cases']> {
  const train = await loadCases(task.cases.train, task, context);
  requireEveryClass(train, task.classes);
  if (task.cases.validation.length === 0) {
    context.warn('the task lists no validation cases: the learning rate stays, nothing stops early, the last weights are kept');
  }
  return { train, validation: await loadCases(task.cases.validation, task, context, { scored: true }) };
}

/** Writes the model of the best validation (or the last step's, without validation cases), then the outcome. */
async function deliver(
  task: SegmentationTask,
  folder: FinetuneFolder,
  start: Start,
  { history, state, stopped }: Trained,
  learner: Learner,
): Promise<FinetuneResult> {
  const { bestStep } = outlook(history.validations, task.training);
  const best = history.validations.find(({ step }) => step === bestStep);
  const weights = best === undefined ? learner.readWeights() : await readBest(folder, start.spec);
  const reached = { step: best?.step ?? state.step, validationDice: best?.dice };
  const segmentation = factsOf(task, history, reached);
  const { digest, bytes } = await writeModelFile(folder.modelFile, { spec: start.spec, weights, segmentation });
  const outcome: FinetuneOutcome = {
    steps: state.step,
    stopped,
    bestStep: reached.step,
    bestValidationLoss: best?.loss ?? null,
    bestValidationDice: best?.dice ?? null,
    meanLoss: state.lossSum / state.step,
    trainingMs: Math.round(state.trainingMs),
    digest,
    bytes,
    peakResidentBytes: peakResidentBytes(),
  };
  const finished = { ...history, outcome };
  await writeHistory(folder.historyFile, finished);
  await rm(folder.workFolder, { recursive: true, force: true });
  return asResult(folder, start, finished, outcome);
}

function factsOf(
  task: SegmentationTask,
  { startedFrom }: FinetuneHistory,
  reached: { step: number; validationDice: number | undefined },
): SegmentationFacts {
  const { name, classes, patchSizeVoxels } = task;
  const network = { classes: [...classes], patchSizeVoxels: [...patchSizeVoxels] as [number, number, number] };
  return { task: name, ...imagePlanOf(task), ...network, startedFrom, ...reached };
}

async function readBest(folder: FinetuneFolder, spec: ModelSpec): Promise<WeightSet> {
  const { weights } = await readSafetensors(folder.bestFile);
  return inManifestOrder(weights, manifestOf(spec), 'the best weights so far');
}

async function isIntact({ modelFile }: FinetuneFolder, { digest }: FinetuneOutcome): Promise<boolean> {
  return (await digestOfFile(modelFile).catch(() => undefined)) === digest;
}

function asResult(
  { modelFile, historyFile }: FinetuneFolder,
  { spec }: Start,
  history: FinetuneHistory,
  outcome: FinetuneOutcome,
): FinetuneResult {
  const { startedFrom, loadedParameters, freshParameters } = history;
  return {
    kind: 'finetune',
    modelPath: modelFile,
    historyPath: historyFile,
    spec,
    startedFrom,
    loadedParameters,
    freshParameters,
    ...outcome,
  };
}
