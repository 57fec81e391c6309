/** A pretraining recipe in the trainer process: the site's volumes in, a model out. Nothing leaves the site. */
import { rm } from 'node:fs/promises';
import { type Digest, digestOfFile, digestOfJson } from '@consilium/shared/kernel';
import { initialWeights, manifestOf } from '@consilium/shared/models';
import { inManifestOrder, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { learningOf } from '@consilium/shared/wire';
import { siteFolder } from '../config/site-folder.js';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { readModelFile, writeModelFile } from '../finetuning/answers/model-file.js';
import { SCRATCH } from '../finetuning/tasks/task-file.js';
import { peakResidentBytes } from '../trainer/memory-limit.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { RecipeOrder, RecipeResult } from '../trainer/trainer-messages.js';
import { CheckpointStore } from '../training/checkpoint.js';
import type { Learner } from '../training/learner.js';
import { prepareFolder, writeRecord } from '../training/round-folder.js';
import { listUsable, loadCollection, modalitiesOf } from '../training/site-collection.js';
import { openPretraining, type PretrainingParts } from './open-pretraining.js';
import { type PretrainFolder, pretrainFolder } from './pretrain-folder.js';
import { type PretrainHistory, type PretrainOutcome, readPretrainHistory } from './pretrain-history.js';
import { recipeClock } from './recipe-clock.js';
import { recipeOutlook } from './recipe-outlook.js';
import { splitVolumes } from './split-volumes.js';
import { type TrainedRecipe, trainRecipe } from './train-recipe.js';

/** Does the order, continues what a killed attempt left, or returns at once what an earlier one finished. */
export async function executeRecipe(order: RecipeOrder, context: OrderContext): Promise<RecipeResult> {
  const { recipe, limits } = order;
  const folder = pretrainFolder(order.outputFolder);
  await makeFolder(folder.path);
  const start = await openStart(order);
  const site = siteFolder(order.home);
  const modalities = modalitiesOf(recipe.objective);
  const split = splitVolumes(listUsable(site.databaseFile, { modalities }), recipe);
  const digests = (list: readonly { digest: Digest }[]): Digest[] => list.map(({ digest }) => digest).sort();
  const work = digestOfJson({ recipe, train: digests(split.train), validation: digests(split.validation), start: start.digest });
  const known = await readPretrainHistory(folder.historyFile, work);
  if (known?.outcome && (await isIntact(folder, known.outcome))) {
    await rm(folder.workFolder, { recursive: true, force: true }); // the index of a folder that was named again
    return asResult(folder, known, known.outcome);
  }

  await prepareFolder(folder.workFolder);
  const collection = await loadCollection({ site, patch: recipe.patch, modalities, cacheBytes: limits.cacheBytes }, context);
  const held = new Set(digests(split.validation));
  const volumes = {
    train: collection.volumes.filter(({ digest }) => !held.has(digest)),
    validation: collection.volumes.filter(({ digest }) => held.has(digest)),
  };
  warnOfValidation(volumes, context);
  const clock = recipeClock(recipe, volumes.train.length);
  const pretraining = await openPretraining({ recipe, clock, volumes, limits, memoryFile: folder.memoryFile }, context);
  try {
    pretraining.learner.loadWeights(start.weights);
    // A volume that no longer reads is left out, and what was trained with it is not gone on with.
    const checkpoints = new CheckpointStore(folder.workFolder, digestOfJson({ work, collection: collection.digest }), (text) =>
      context.warn(text),
    );
    const history = known ?? newHistory(order, work, start.digest, volumes, clock);
    const trained = await trainRecipe({ recipe, clock, context, folder, pretraining, checkpoints }, history);
    return await deliver(order, folder, trained, pretraining.learner);
  } finally {
    pretraining.learner.dispose();
  }
}

function warnOfValidation({ train, validation }: PretrainingParts['volumes'], context: OrderContext): void {
  if (validation.length === 0) {
    context.warn('no volume is held out for validation: nothing stops early, no skill is told, the last weights are kept');
    return;
  }
  const held = new Set(validation.map(({ modality }) => modality));
  const unseen = new Set(train.map(({ modality }) => modality).filter((modality) => !held.has(modality)));
  for (const modality of unseen) {
    context.warn(
      `no ${modality} volume is held out: the best weights and the early stop follow ${[...held].join(' and ')} alone`,
    );
  }
}

/** Fresh seeded weights, or those of a model of the recipe's own network; MANIFEST_MISMATCH for another one's. */
async function openStart({ recipe, from }: RecipeOrder): Promise<{ weights: WeightSet; digest: Digest | null }> {
  if (from === SCRATCH) return { weights: initialWeights(recipe.model, recipe.seed), digest: null };
  const { weights, digest } = await readModelFile(from);
  return { weights: inManifestOrder(weights, manifestOf(recipe.model), 'the start model'), digest };
}

function newHistory(
  { recipe }: RecipeOrder,
  work: Digest,
  start: Digest | null,
  { train, validation }: PretrainingParts['volumes'],
  { stepsPerEpoch, totalSteps }: PretrainingParts['clock'],
): PretrainHistory {
  const all = [...train, ...validation];
  const ct = all.filter(({ modality }) => modality === 'CT').length;
  return {
    recipe: recipe.name,
    work,
    startedFrom: start ?? SCRATCH,
    volumes: { train: train.length, validation: validation.length, ct, mr: all.length - ct },
    stepsPerEpoch,
    totalSteps,
    validations: [],
    outcome: null,
  };
}

/** Writes the model of the best validation (or the last step's, without any), then the outcome. */
async function deliver(
  { recipe }: RecipeOrder,
  folder: PretrainFolder,
  { history, state, stopped }: TrainedRecipe,
  learner: Learner,
): Promise<RecipeResult> {
  const { bestStep } = recipeOutlook(history.validations, recipe.training, history);
  const best = history.validations.find(({ step }) => step === bestStep);
  const weights = best === undefined ? (learner.readAverage() ?? learner.readWeights()) : await readBest(folder, recipe.model);
  const { digest, bytes } = await writeModelFile(folder.modelFile, { spec: recipe.model, weights });
  const outcome: PretrainOutcome = {
    steps: state.step,
    epochs: state.step / history.stepsPerEpoch,
    stopped,
    bestStep: best?.step ?? state.step,
    bestValidationLoss: best?.loss ?? null,
    score: best?.score ?? null,
    ...(best?.monitors === undefined ? {} : { monitors: best.monitors }),
    learned: best === undefined ? null : learningOf(best.score),
    meanLoss: state.lossSum / state.step,
    trainingMs: Math.round(state.trainingMs),
    waitedMs: Math.round(state.waitedMs),
    digest,
    bytes,
    peakResidentBytes: peakResidentBytes(),
  };
  const finished = { ...history, outcome };
  await writeRecord(folder.historyFile, finished);
  await rm(folder.workFolder, { recursive: true, force: true });
  return asResult(folder, finished, outcome);
}

async function readBest(folder: PretrainFolder, model: RecipeOrder['recipe']['model']): Promise<WeightSet> {
  const { weights } = await readSafetensors(folder.bestFile);
  return inManifestOrder(weights, manifestOf(model), 'the best weights so far');
}

async function isIntact({ modelFile }: PretrainFolder, { digest }: PretrainOutcome): Promise<boolean> {
  return (await digestOfFile(modelFile).catch(() => undefined)) === digest;
}

function asResult({ modelFile }: PretrainFolder, history: PretrainHistory, outcome: PretrainOutcome): RecipeResult {
  return { kind: 'recipe', modelPath: modelFile, history: { ...history, outcome } };
}
