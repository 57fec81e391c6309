/**
 * The fold of a round: updates are read from their files range by range, in threads, combined in site order in 64 bits, and
 * rounded once to 32 bits. The result is the same bytes whatever the order of arrival, the number of threads and the size of the
 * ranges; memory grows neither with the number of sites nor with the size of the model.
 */
import { availableParallelism } from 'node:os';
import { digestOfFile, errnoOf, FederationError, invariant } from '@consilium/shared/kernel';
import { channelElements, elementCount } from '@consilium/shared/weights';
import { cutUnit } from './fold/delta-format.js';
import { INPUT_ELEMENTS, RANGE_ELEMENTS, SLOTS } from './fold/fold-memory.js';
import { type FoldJob, type FoldOutcome, RESIDUAL, type UpdateFile } from './fold/fold-job.js';
import { createOutputs, type FoldOutputs } from './fold/fold-outputs.js';
import type { FoldPlan, NoisePlan, PartialTensors } from './fold/fold-plan.js';
import { type PieceRunner, startFoldThreads, withRunners } from './fold/fold-threads.js';
import { inOrder } from './fold/in-order.js';
import { OpenFiles } from './fold/open-files.js';
import { BLOCK_ELEMENTS, cutIntoPieces } from './fold/pieces.js';
import { type TensorTable, tableOf } from './fold/tensor-table.js';
import { UPDATES_PER_PASS } from './kernels/range-kernels.js';
import type { Recipe, UpdateFacts } from './recipe.js';
import { recipeOf } from './recipe-table.js';
import { PairDistances } from './select/pair-distances.js';

export type { DeltaOrder, FoldJob, FoldOutcome, NoiseOrder, UpdateFile, WrittenFile } from './fold/fold-job.js';
export { closeFoldThreads } from './fold/fold-threads.js';

/** More threads than this gain nothing: files come no faster. */
const MOST_THREADS = 4;

/** The threads of later folds, started now: what a coordinator takes of the machine does not grow with its first round. */
export function warmUpFolds(): void {
  startFoldThreads(threadsByDefault());
}

function threadsByDefault(): number {
  return Math.min(availableParallelism(), MOST_THREADS);
}

/**
 * Folds the updates into the next version. Throws TRAINING_DIVERGED when a result is not finite, UPDATE_BASE_STALE when every
 * update is older than the recipe allows, WEIGHTS_MALFORMED or MANIFEST_MISMATCH when a file is not what the job says,
 * DISK_FULL or STORAGE_FAILED, and the signal's reason when it is stopped. One fold runs at a time; others wait.
 */
export function foldFiles(job: FoldJob): Promise<FoldOutcome> {
  const threads = job.threads ?? threadsByDefault();
  return withRunners(threads, async (runners) => {
    try {
      return await foldOnce(runners, job);
    } catch (thrown) {
      const doesNotFit = thrown instanceof FederationError && thrown.code === 'UPDATE_NOT_FINITE' && job.delta !== undefined;
      if (!doesNotFit) throw thrown;
      return foldOnce(runners, { ...job, delta: undefined });
    }
  });
}

async function foldOnce(runners: readonly PieceRunner[], job: FoldJob): Promise<FoldOutcome> {
  const files = new OpenFiles();
  try {
    return await foldWith(runners, job, files);
  } catch (thrown) {
    throw errnoOf(thrown) === undefined ? thrown : FederationError.from(thrown, 'STORAGE_FAILED');
  } finally {
    await files.close();
  }
}

async function foldWith(runners: readonly PieceRunner[], job: FoldJob, files: OpenFiles): Promise<FoldOutcome> {
  job.signal?.throwIfAborted();
  const recipe = recipeOf(job.recipe);
  const inputs = await openInputs(job, recipe, files);
  const outputs = await createOutputs(job, recipe, files);
  const everything = planOf(job, recipe, inputs, outputs);
  const chosen = recipe.choose?.(await measureDistances(runners, everything, job.signal)) ?? inputs.updates.map((_, i) => i);
  const folded = chosen.map((place) => inputs.updates[place] as OpenUpdate);
  const plan = planOf(job, recipe, { ...inputs, updates: folded }, outputs);
  await Promise.all(runners.map((runner) => runner.begin(plan)));
  await inOrder(lanesOf(runners, SLOTS), plan.pieces.length, {
    run: ({ runner, slot }, piece) => runner.fold(piece, slot),
    use: (part) => outputs.version.running.update(part),
    signal: job.signal,
  });
  await files.keep();
  const { version, state, delta } = outputs;
  return {
    digest: version.running.finish(),
    bytes: version.bytes,
    state: state && { digest: await digestOfFile(job.stateOutputPath, job.digest), bytes: state.bytes },
    delta: delta && { digest: await digestOfFile(delta.path, job.digest), bytes: delta.bytes },
    foldedSites: folded.map(({ facts }) => facts.siteName),
    leftOut: [
      ...inputs.stale.map(({ siteName }) => ({ siteName, code: 'UPDATE_BASE_STALE' as const })),
      ...inputs.updates
        .filter((_, place) => !chosen.includes(place))
        .map(({ facts }) => ({ siteName: facts.siteName, code: 'NOT_CHOSEN' as const })),
    ],
    totalWeight: plan.weights.reduce((sum, weight) => sum + weight, 0),
  };
}

interface OpenUpdate {
  readonly facts: UpdateFacts;
  readonly delta: TensorTable;
  /** False where it lacks what updates may lack. */
  readonly isWhole: boolean;
  readonly control: TensorTable | null;
}

interface OpenInputs {
  readonly base: TensorTable;
  readonly carried: readonly TensorTable[] | null;
  readonly residual: TensorTable | null;
  /** In site order. */
  readonly updates: readonly OpenUpdate[];
  readonly stale: readonly UpdateFacts[];
}

async function openInputs(job: FoldJob, recipe: Recipe, files: OpenFiles): Promise<OpenInputs> {
  const { tensors } = job.manifest;
  const federated = tensors.map((tensor) => (tensor.scope === 'federated' ? tensor : null));
  const isStale = (update: UpdateFacts): boolean => recipe.isTooStale?.(update) === true;
  const fresh = inSiteOrder(job.updates.filter((update) => !isStale(update)));
  const stale = inSiteOrder(job.updates.filter(isStale));
  if (fresh.length === 0 && stale.length > 0) {
    throw new FederationError('UPDATE_BASE_STALE', 'every update of the round is older than the recipe allows');
  }
  invariant(fresh.length > 0, 'a fold needs at least one update');
  const base = await tableOf(await files.openInput(job.basePath), tensors);
  const state = job.statePath === null ? null : await files.openInput(job.statePath);
  const carried = state && (await Promise.all(recipe.carried.map(({ name }) => tableOf(state, federated, `${name}/`))));
  const hasResidual = state?.header.tensors.some(({ name }) => name.startsWith(`${RESIDUAL}/`)) === true;
  const residual = hasResidual ? await tableOf(state, federated, `${RESIDUAL}/`) : null;
  const updates: OpenUpdate[] = [];
  for (const { path, ...facts } of fresh) {
    const file = await files.openInput(path);
    const control = recipe.controlsDividedBy === undefined ? null : await tableOf(file, federated, 'control/');
    const present = new Set(file.header.tensors.map(({ name }) => name));
    const lacking = new Set(job.mayLack?.filter((name) => !present.has(name)));
    const held = federated.map((tensor) => (tensor !== null && lacking.has(tensor.name) ? null : tensor));
    updates.push({ facts, delta: await tableOf(file, held), isWhole: lacking.size === 0, control });
  }
  return { base, carried, residual, updates, stale };
}

/** By site name; of one site the oldest first. */
function inSiteOrder(updates: readonly UpdateFile[]): UpdateFile[] {
  return updates.toSorted(
    (a, b) => compare(a.siteName, b.siteName) || compare(b.staleness, a.staleness) || compare(a.patches, b.patches),
  );
}

function compare<T extends string | number>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function planOf(job: FoldJob, recipe: Recipe, inputs: OpenInputs, { tables }: FoldOutputs): FoldPlan {
  const { updates } = inputs;
  const { tensors } = job.manifest;
  const noise = noiseOf(job, recipe, updates);
  const weights = updates.map(({ facts }) => (noise === null ? recipe.weightOf(facts) : 1));
  const looksAtAll = recipe.combine.kind === 'mean-of-ranks' || recipe.choose !== undefined;
  const together = looksAtAll ? updates.length : Math.min(updates.length, UPDATES_PER_PASS);
  const fitting = Math.min(RANGE_ELEMENTS, INPUT_ELEMENTS / together, job.rangeElements ?? RANGE_ELEMENTS);
  const rangeElements = Math.max(1, Math.floor(fitting / BLOCK_ELEMENTS)) * BLOCK_ELEMENTS;
  return {
    recipe: job.recipe,
    pieces: cutIntoPieces(job.manifest, (shape) => cutUnit(shape, job.delta?.format)),
    isFederated: tensors.map(({ scope }) => scope === 'federated'),
    elementsPerScale: tensors.map(({ shape }) => channelElements(shape)),
    rangeElements,
    inputElements: together * rangeElements,
    base: inputs.base,
    deltas: updates.map(({ delta }) => delta),
    weights,
    divisor: noise === null ? divisorOf(recipe, updates) : updates.length,
    partial: partialOf(job, recipe, updates),
    noise,
    controls: updates.flatMap(({ control }) => control ?? []),
    controlDivisor: recipe.controlsDividedBy?.(job.sitesOfCampaign) ?? 1,
    carried: inputs.carried,
    residual: inputs.residual,
    ...tables,
  };
}

function divisorOf(recipe: Recipe, updates: readonly OpenUpdate[]): number {
  const facts = updates.map((update) => update.facts);
  return recipe.divisorOf?.(facts) ?? facts.reduce((sum, update) => sum + recipe.weightOf(update), 0);
}

/** What the noise covers is each site's one update in a plain sum of them. */
function noiseOf({ noise, manifest }: FoldJob, recipe: Recipe, updates: readonly OpenUpdate[]): NoisePlan | null {
  if (noise === undefined) return null;
  const averages = recipe.combine.kind === 'weighted-mean' && recipe.choose === undefined;
  invariant(averages && recipe.controlsDividedBy === undefined, 'noise on a sum needs a recipe that averages');
  invariant(
    updates.every(({ isWhole }) => isWhole),
    'noise on a sum needs whole updates',
  );
  const sites = new Set(updates.map(({ facts }) => facts.siteName));
  invariant(sites.size === updates.length, 'noise on a sum covers one update of each site');
  let elements = 0;
  const starts = manifest.tensors.map(({ scope, shape }) => {
    if (scope !== 'federated') return Number.NaN;
    elements += elementCount(shape);
    return elements - elementCount(shape);
  });
  return { key: Buffer.from(noise.key, 'hex'), deviation: noise.deviation, starts: Float64Array.from(starts) };
}

/** Whoever lacks a tensor does not weigh in it: the others' mean is theirs alone. */
function partialOf({ manifest, mayLack }: FoldJob, recipe: Recipe, updates: readonly OpenUpdate[]): PartialTensors | null {
  if (updates.every(({ isWhole }) => isWhole)) return null;
  invariant(recipe.choose === undefined && recipe.controlsDividedBy === undefined, 'this recipe needs whole updates');
  const holders = updates.flatMap(({ isWhole }, place) => (isWhole ? [place] : []));
  const held = updates.filter(({ isWhole }) => isWhole);
  const partial = new Set(mayLack);
  return { isPartial: manifest.tensors.map(({ name }) => partial.has(name)), holders, divisor: divisorOf(recipe, held) };
}

async function measureDistances(
  runners: readonly PieceRunner[],
  plan: FoldPlan,
  signal: AbortSignal | undefined,
): Promise<PairDistances> {
  const distances = new PairDistances(plan.deltas.length);
  await Promise.all(runners.map((runner) => runner.begin(plan)));
  await inOrder(lanesOf(runners, SLOTS), plan.pieces.length, {
    run: ({ runner }, piece) => runner.distances(piece),
    use: (part) => distances.add(part),
    signal,
  });
  return distances;
}

/** Every slot of every runner: what one waits for, another may do meanwhile. */
function lanesOf(runners: readonly PieceRunner[], slots: number): { runner: PieceRunner; slot: number }[] {
  return Array.from({ length: slots }, (_, slot) => runners.map((runner) => ({ runner, slot }))).flat();
}
