/** Fine-tuning in the trainer process (spec A7): Adam, plateau schedule, best weights kept, resumable at any step. */
import { rm } from 'node:fs/promises';
import { type Digest, digestOfFile, digestOfJson } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec } from '@consilium/shared/models';
import { inManifestOrder, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { FinetuneOrder, FinetuneResult } from '../trainer/trainer-messages.js';
import { openTrainerDevice } from '../trainer/trainer-runtime.js';
import { bytesOfFeed, mostBatchThreadsFor } from '../training/batch-feed.js';
import { CheckpointStore } from '../training/checkpoint.js';
import { chooseMemory } from '../training/choose-memory.js';
import { choosePrecision } from '../training/choose-precision.js';
import { Learner } from '../training/learner.js';
import { prepareFolder } from '../training/round-folder.js';
import { digestsOfCases } from './cases/case-digests.js';
import { CaseStore } from './cases/case-store.js';
import { SCRATCH } from './tasks/finetune-case.js';
import { type FinetuneFolder, finetuneFolder, makeFolder } from './tasks/finetune-folder.js';
import { type FinetuneHistory, type FinetuneOutcome, readHistory, writeHistory } from './finetune-history.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import { imagePlanOf } from './tasks/image-plan.js';
import { requireTestCases } from './cases/check-cases.js';
import { writeModelFile } from './answers/model-file.js';
import { optimizerOf } from './parameter-treatment.js';
import { PhasedLearner } from './phased-learner.js';
import { openStart, type Start } from './start-network.js';
import { factsOf, loadTaskData, targetsPerExample, type TaskData } from './task-data.js';
import { type Trained, trainTask } from './train-task.js';
import { outlook } from './validation-history.js';

/** Does the order, continues what a killed attempt left, or returns at once what an earlier one finished. */
export async function executeFinetune(order: FinetuneOrder, context: OrderContext): Promise<FinetuneResult> {
  const { task } = order;
  const folder = finetuneFolder(order.outputFolder);
  await makeFolder(folder.path);
  const start = await openStart(task);
  const work = await nameWork(task, start);
  const known = await readHistory(folder.historyFile, work);
  if (known?.outcome && (await isIntact(folder, known.outcome))) return asResult(folder, start, known, known.outcome);

  await prepareFolder(folder.workFolder);
  await requireTestCases(task, context);
  const { memoryBytes, threads } = order.limits;
  const store = CaseStore.beside(folder.workFolder, memoryBytes);
  try {
    const data = await loadTaskData(task, { store, limitBytes: memoryBytes, threads }, context);
    const history = known ?? newHistory(task, work, start);
    return await trainOn(data, { order, start, folder, work, history }, context);
  } finally {
    store.close();
  }
}

interface Begun {
  readonly order: FinetuneOrder;
  readonly start: Start;
  readonly folder: FinetuneFolder;
  readonly work: Digest;
  readonly history: FinetuneHistory;
}

async function trainOn(
  { source, validate, validationBytes, trainedOn }: TaskData,
  { order, start, folder, work, history }: Begun,
  context: OrderContext,
): Promise<FinetuneResult> {
  const { task } = order;
  const learner = await createLearner(order, { start, folder, validationBytes }, context);
  try {
    const checkpoints = new CheckpointStore(folder.workFolder, work, (text) => context.warn(text));
    const look = validate && (() => validate(learner));
    const { training } = task;
    const trained = await trainTask({ training, context, folder, learner, checkpoints, source, validate: look }, history);
    return await deliver(task, { folder, start, trainedOn }, trained, learner);
  } finally {
    await source.close();
    learner.dispose();
  }
}

/** Names the work by all that decides its outcome: the data's bytes, the schedule, the network and the start. */
async function nameWork(task: FinetuneTask, { spec, digest }: Start): Promise<Digest> {
  const { kind, cases, classes, patchSizeVoxels, training } = task;
  const { outputLayer, fresh } = task.start;
  const images = new Map<string, Digest>();
  return digestOfJson({
    kind,
    train: await digestsOfCases(cases.train, images),
    validation: await digestsOfCases(cases.validation, images),
    start: digest,
    output: outputLayer,
    fresh,
    spec,
    ...imagePlanOf(task),
    ...(task.kind === 'classification' && { input: task.input, fit: task.fit }),
    classes,
    patchSizeVoxels,
    training,
  });
}

function newHistory(task: FinetuneTask, work: Digest, { digest, loaded, fresh }: Start): FinetuneHistory {
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
  { start, folder, validationBytes }: Pick<Begun, 'start' | 'folder'> & Pick<TaskData, 'validationBytes'>,
  context: OrderContext,
): Promise<PhasedLearner> {
  const { spec, weights, loaded } = start;
  const { loss, batchSize, precision: wanted } = task.training;
  const treated = { spec, loaded, training: task.training };
  const { runtime, device } = openTrainerDevice(limits, context);
  const { precision, announcement } = choosePrecision(wanted, device);
  if (announcement !== undefined) context.announce(announcement);
  const options = { spec, loss, precision };
  const memory = await chooseMemory(
    {
      ...options,
      optimizer: optimizerOf(treated, false),
      patches: batchSize,
      predictedPatches: 1,
      sizeVoxels: task.patchSizeVoxels,
    },
    {
      runtime,
      context,
      batchThreads: mostBatchThreadsFor(limits.threads),
      batchBytes: bytesOfFeed(batchSize, task.patchSizeVoxels, targetsPerExample(task)),
      volumeBytes: validationBytes,
      limitBytes: limits.memoryBytes,
      recordFile: folder.memoryFile,
    },
  );
  return new PhasedLearner(treated, weights, (frozen) =>
    Learner.create({ ...options, ...memory, runtime, optimizer: optimizerOf(treated, frozen) }),
  );
}

/** Writes the model of the best validation (or the last step's, without validation cases), then the outcome. */
async function deliver(
  task: FinetuneTask,
  { folder, start, trainedOn }: Pick<Begun, 'folder' | 'start'> & Pick<TaskData, 'trainedOn'>,
  { history, state, stopped }: Trained,
  learner: PhasedLearner,
): Promise<FinetuneResult> {
  const { bestStep } = outlook(history.validations, task.training);
  const best = history.validations.find(({ step }) => step === bestStep);
  const weights = best === undefined ? learner.readWeights() : await readBest(folder, start.spec);
  const step = best?.step ?? state.step;
  const facts = factsOf(task, { trainedOn, startedFrom: history.startedFrom, step, reached: best });
  const { digest, bytes } = await writeModelFile(folder.modelFile, { spec: start.spec, weights, ...facts });
  const outcome: FinetuneOutcome = {
    steps: state.step,
    stopped,
    bestStep: step,
    bestValidationLoss: best?.loss ?? null,
    bestValidationDice: best?.dice ?? null,
    bestValidationAuc: best?.auc ?? null,
    bestValidationAccuracy: best?.accuracy ?? null,
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
