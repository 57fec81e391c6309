/** Supervised pretraining over several labelled collections in the trainer process; the encoder is the result. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestOfFile, digestOfJson, FederationError, required } from '@consilium/shared/kernel';
import {
  manifestOf,
  medicalnetSpecSchema,
  type MedicalnetSpec,
  withBranches,
  withMedicalnetHead,
} from '@consilium/shared/models';
import { inManifestOrder, readSafetensors } from '@consilium/shared/weights';
import { CaseStore } from '../finetuning/cases/case-store.js';
import { type FinetuneFolder, finetuneFolder, makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { occursIn } from '../finetuning/cases/kept-case.js';
import { requireEveryClass } from '../finetuning/cases/labelled-case.js';
import { digestOfImage, loadCases } from '../finetuning/cases/load-cases.js';
import { readModelFile, writeModelFile } from '../finetuning/answers/model-file.js';
import { imagePlanOf } from '../finetuning/tasks/image-plan.js';
import type { SegmentationCase } from '../finetuning/tasks/segmentation-task.js';
import { SCRATCH } from '../finetuning/tasks/task-file.js';
import { scratchWeights, type Transfer, transferWeights } from '../finetuning/transfer-weights.js';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { LabelledPretrainOrder, LabelledPretrainResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { bytesOfFeed, mostBatchThreadsFor } from '../training/batch-feed.js';
import { CheckpointStore } from '../training/checkpoint.js';
import { chooseMemory } from '../training/choose-memory.js';
import { prepareFolder, writeRecord } from '../training/round-folder.js';
import type { LoadedCollection } from './branch-feed.js';
import { BRANCH_LOSS, BranchedLearner } from './branched-learner.js';
import { branchOutputs, type LabelledCollection, type LabelledRecipe } from './labelled-recipe.js';
import { medianSpacing } from './median-spacing.js';
import { bestLook, type PretrainingHistory, type PretrainingOutcome, readPretrainingHistory } from './pretraining-history.js';
import { StepLosses } from './step-losses.js';
import { trainBranches, type TrainedBranches } from './train-branches.js';

/** Does the order, continues what a killed attempt left, or returns at once what an earlier one finished. */
export async function executeLabelledPretrain(
  order: LabelledPretrainOrder,
  context: OrderContext,
): Promise<LabelledPretrainResult> {
  const folder = finetuneFolder(order.outputFolder);
  await makeFolder(folder.path);
  const recipe = await withSpacings(order.recipe, context);
  const start = await openStart(recipe);
  const work = await nameWork(recipe, start);
  const known = await readPretrainingHistory(folder.historyFile, work);
  if (known?.outcome && (await isIntact(folder, known.outcome))) return asResult(folder, start, known, known.outcome);

  await prepareFolder(folder.workFolder);
  const store = CaseStore.beside(folder.workFolder, order.limits.memoryBytes);
  try {
    const collections = await loadCollections(recipe, store, context);
    const history = known ?? newHistory(recipe, work, start);
    return await trainOn(collections, { order, recipe, start, folder, work, history }, context);
  } finally {
    store.close();
  }
}

interface Begun {
  readonly order: LabelledPretrainOrder;
  /** With the spacings that were chosen. */
  readonly recipe: LabelledRecipe;
  readonly start: Start;
  readonly folder: FinetuneFolder;
  readonly work: Digest;
  readonly history: PretrainingHistory;
}

async function trainOn(
  collections: readonly LoadedCollection[],
  { order, recipe, start, folder, work, history }: Begun,
  context: OrderContext,
): Promise<LabelledPretrainResult> {
  const learner = await createLearner(order, recipe, start, folder, context);
  try {
    learner.loadWeights(start.weights);
    const checkpoints = new CheckpointStore(folder.workFolder, work, (text) => context.warn(text));
    const losses = new StepLosses(join(folder.path, 'losses.json'), work);
    const { threads } = order.limits;
    const shared = { recipe, context, folder, learner, checkpoints, losses, collections, threads };
    const trained = await trainBranches(shared, history);
    return await deliver(folder, start, trained, learner);
  } finally {
    learner.dispose();
  }
}

/** Where training begins: the network with its branches, its weights and, from a model, the model's digest. */
interface Start extends Transfer {
  readonly spec: MedicalnetSpec;
  readonly digest: Digest | null;
}

async function openStart({ start, model, collections, training }: LabelledRecipe): Promise<Start> {
  const branches = collections.map((collection) => ({ name: collection.name, outputs: branchOutputs(collection) }));
  if (start === SCRATCH) {
    const spec = withBranches(medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', ...model }), branches);
    return { spec, digest: null, ...scratchWeights(spec, training.seed) };
  }
  const source = await readModelFile(start);
  if (source.spec.architecture !== 'medicalnet-resnet' || source.spec.inputChannels !== 1) {
    throw new FederationError('ARGUMENT_INVALID', `the start model ${source.path} is no MedicalNet encoder of one channel`, {
      remedy: 'Start from a medicalnet-resnet model, or from scratch.',
    });
  }
  const spec = withBranches(source.spec, branches);
  return { spec, digest: source.digest, ...transferWeights(spec, source.weights, training.seed, { outputLayer: 'fresh' }) };
}

async function withSpacings(recipe: LabelledRecipe, context: OrderContext): Promise<LabelledRecipe> {
  if (recipe.spacing === 'own') return recipe;
  const collections: LabelledCollection[] = [];
  for (const collection of recipe.collections) {
    const spacingMm = collection.spacingMm ?? (await medianSpacing(collection.cases.train));
    context.announce(`${collection.name}: images at ${spacingMm.map((side) => Number(side.toPrecision(4))).join(' × ')} mm`);
    collections.push({ ...collection, spacingMm: [...spacingMm] });
  }
  return { ...recipe, collections };
}

/** Names the work by all that decides its outcome: the data's bytes, the schedule, the network and the start. */
async function nameWork({ collections, patchSizeVoxels, training }: LabelledRecipe, { spec, digest }: Start): Promise<Digest> {
  const named: object[] = [];
  const [trained, validated] = [new Map<Digest, string>(), new Map<Digest, string>()];
  for (const collection of collections) {
    const { name, classes, cases } = collection;
    const [train, validation] = [await digestsOf(cases.train), await digestsOf(cases.validation)];
    cases.train.forEach((entry, index) => trained.set(required(train[index]?.[0], 'its digest'), `${entry.name} of ${name}`));
    cases.validation.forEach((entry, index) =>
      validated.set(required(validation[index]?.[0], 'its digest'), `${entry.name} of ${name}`),
    );
    named.push({ name, classes, train, validation, ...imagePlanOf(collection) });
  }
  requireOtherImages(trained, validated);
  return digestOfJson({ kind: 'pretrain-labelled', collections: named, start: digest, spec, patchSizeVoxels, training });
}

/** The same image in two collections, under whatever name, would make the Dice of its validation meaningless. */
function requireOtherImages(trained: ReadonlyMap<Digest, string>, validated: ReadonlyMap<Digest, string>): void {
  for (const [digest, validating] of validated) {
    const training = trained.get(digest);
    if (training === undefined) continue;
    throw new FederationError('TASK_INVALID', `the validation case ${validating} is the image of the training case ${training}`, {
      remedy: 'Take one of the two out of its collection.',
    });
  }
}

/** Of image and label of each case. */
async function digestsOf(cases: readonly SegmentationCase[]): Promise<Digest[][]> {
  const digests: Digest[][] = [];
  for (const entry of cases) digests.push([await digestOfImage(entry), await digestOfFile(entry.label)]);
  return digests;
}

async function loadCollections(recipe: LabelledRecipe, store: CaseStore, context: OrderContext): Promise<LoadedCollection[]> {
  const loaded: LoadedCollection[] = [];
  for (const collection of recipe.collections) {
    const { name, cases, classes } = collection;
    const train = await loadCases(cases.train, collection, context, { store });
    requireEveryClass(classes, occursIn(train));
    if (cases.validation.length === 0) context.warn(`${name} has no validation cases: nothing tells how well its branch does`);
    loaded.push({
      collection,
      train,
      validation: await loadCases(cases.validation, collection, context, { store, scored: true }),
    });
  }
  const kept = await store.describe();
  if (kept !== undefined) context.announce(kept);
  return loaded;
}

async function createLearner(
  { limits }: LabelledPretrainOrder,
  { training, patchSizeVoxels }: LabelledRecipe,
  { spec }: Start,
  { memoryFile }: FinetuneFolder,
  context: OrderContext,
): Promise<BranchedLearner> {
  const runtime = openTrainerRuntime(limits, context);
  const { optimizer, batchSize } = training;
  // Encoder and widest branch, as a step computes them.
  const outputs = Math.max(...(spec.branches ?? []).map((branch) => branch.outputs));
  const memory = await chooseMemory(
    {
      spec: withMedicalnetHead(spec, 'direct-segmentation', outputs),
      optimizer,
      loss: BRANCH_LOSS,
      patches: batchSize,
      predictedPatches: 1,
      sizeVoxels: patchSizeVoxels,
    },
    {
      runtime,
      context,
      batchThreads: mostBatchThreadsFor(limits.threads),
      batchBytes: bytesOfFeed(batchSize, patchSizeVoxels),
      limitBytes: limits.memoryBytes,
      recordFile: memoryFile,
    },
  );
  return BranchedLearner.create({ runtime, spec, optimizer, ...memory });
}

function newHistory({ name, collections }: LabelledRecipe, work: Digest, { digest, loaded }: Start): PretrainingHistory {
  return {
    recipe: name,
    work,
    startedFrom: digest ?? SCRATCH,
    loadedParameters: loaded.length,
    collections: collections.map(({ name: branch, cases, classes, spacingMm }) => ({
      name: branch,
      train: cases.train.length,
      validation: cases.validation.length,
      classes: classes.map((each) => each.name),
      spacingMm: spacingMm === undefined ? null : [...spacingMm],
    })),
    looks: [],
    outcome: null,
  };
}

/** Drops the branches and writes the encoder of the best look (or the last step's, without validation cases). */
async function deliver(
  folder: FinetuneFolder,
  start: Start,
  { history, state }: TrainedBranches,
  learner: BranchedLearner,
): Promise<LabelledPretrainResult> {
  const best = bestLook(history.looks);
  const all = best === undefined ? learner.readWeights() : (await readSafetensors(folder.bestFile)).weights;
  const encoder = encoderOf(start.spec);
  const names = new Set(manifestOf(encoder).tensors.map(({ name }) => name));
  const kept = all.filter(({ name }) => names.has(name));
  const weights = inManifestOrder(kept, manifestOf(encoder), 'the best weights so far');
  const { digest, bytes } = await writeModelFile(folder.modelFile, { spec: encoder, weights });
  const outcome: PretrainingOutcome = {
    steps: state.step,
    bestStep: best?.step ?? state.step,
    bestMeanDice: best?.meanDice ?? null,
    trainingMs: Math.round(state.trainingMs),
    digest,
    bytes,
    peakResidentBytes: peakResidentBytes(),
  };
  const finished = { ...history, outcome };
  await writeRecord(folder.historyFile, finished);
  await rm(folder.workFolder, { recursive: true, force: true });
  return asResult(folder, start, finished, outcome);
}

function encoderOf(spec: MedicalnetSpec): MedicalnetSpec {
  return withMedicalnetHead(spec, 'none', spec.outputs);
}

async function isIntact({ modelFile }: FinetuneFolder, { digest }: PretrainingOutcome): Promise<boolean> {
  return (await digestOfFile(modelFile).catch(() => undefined)) === digest;
}

function asResult(
  { modelFile, historyFile }: FinetuneFolder,
  { spec }: Start,
  { startedFrom, looks, collections }: PretrainingHistory,
  outcome: PretrainingOutcome,
): LabelledPretrainResult {
  const paths = { modelPath: modelFile, historyPath: historyFile };
  return { kind: 'pretrain-labelled', ...paths, spec: encoderOf(spec), startedFrom, collections, looks, ...outcome };
}
