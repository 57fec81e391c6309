/**
 * The fold of a round: updates are read from their files range by range, in threads, combined in site order in 64 bits, and
 * rounded once to 32 bits. The result is the same bytes whatever the order of arrival, the number of threads and the size of the
 * ranges; memory grows neither with the number of sites nor with the size of the model.
 */
import { availableParallelism } from 'node:os';
import { type Digest, type DigestAlgorithm, digestOfFile, errnoOf, FederationError, invariant } from '@consilium/shared/kernel';
import { elementCount, type Manifest, scaleCount, type TensorEntry } from '@consilium/shared/weights';
import type { RecipePlan } from '@consilium/shared/wire';
import { INPUT_ELEMENTS, RANGE_ELEMENTS, SLOTS } from './fold/fold-memory.js';
import type { FoldPlan, OutputTable } from './fold/fold-plan.js';
import { type PieceRunner, withRunners } from './fold/fold-threads.js';
import { inOrder } from './fold/in-order.js';
import { OpenFiles, type OutputFile } from './fold/open-files.js';
import { BLOCK_ELEMENTS, cutIntoPieces } from './fold/pieces.js';
import { type TensorTable, tableOf } from './fold/tensor-table.js';
import { UPDATES_PER_PASS } from './kernels/range-kernels.js';
import type { LeftOutCode, Recipe, UpdateFacts } from './recipe.js';
import { recipeOf } from './recipe-table.js';
import { PairDistances } from './select/pair-distances.js';

export { closeFoldThreads } from './fold/fold-threads.js';

/** More threads than this gain nothing: files come no faster. */
const MOST_THREADS = 4;

/** An accepted update: deltas of the federated tensors in any number format, and `control/NAME` beside them under SCAFFOLD. */
export interface UpdateFile extends UpdateFacts {
  readonly path: string;
}

export interface FoldJob {
  /** All tensors of the model with their scope; the next version holds them in this order, in 32 bits. */
  readonly manifest: Manifest;
  readonly basePath: string;
  /** What the same recipe carried on from the round before; null in the first. */
  readonly statePath: string | null;
  /** In any order. Every number in them is finite: intake has seen to that. */
  readonly updates: readonly UpdateFile[];
  readonly recipe: RecipePlan;
  /** Of the next version's file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** SCAFFOLD's N. */
  readonly sitesOfCampaign: number;
  readonly digest: DigestAlgorithm;
  /** Written whole and on disk when the fold ends, removed when it fails; the caller moves it to where it stays. */
  readonly outputPath: string;
  /** The same for what the recipe carries on; not touched by a recipe that carries nothing. */
  readonly stateOutputPath: string;
  /** Stops the fold between two pieces. */
  readonly signal?: AbortSignal;
  /** As many as there are cores, up to four, by default; 0 folds in the caller's thread. */
  readonly threads?: number;
  /** Elements read at a time, at most; rounded up to whole blocks. Changes no bit. */
  readonly rangeElements?: number;
}

export interface FoldOutcome {
  readonly digest: Digest;
  readonly bytes: number;
  readonly state: { readonly digest: Digest; readonly bytes: number } | null;
  /** In site order; a site with two updates in a buffered round appears twice. */
  readonly foldedSites: readonly string[];
  readonly leftOut: readonly { readonly siteName: string; readonly code: LeftOutCode }[];
  /** The sum of the weights. */
  readonly totalWeight: number;
}

/**
 * Folds the updates into the next version. Throws TRAINING_DIVERGED when a result is not finite, UPDATE_BASE_STALE when every
 * update is older than the recipe allows, WEIGHTS_MALFORMED or MANIFEST_MISMATCH when a file is not what the job says,
 * DISK_FULL or STORAGE_FAILED, and the signal's reason when it is stopped. One fold runs at a time; others wait.
 */
export function foldFiles(job: FoldJob): Promise<FoldOutcome> {
  const threads = job.threads ?? Math.min(availableParallelism(), MOST_THREADS);
  return withRunners(threads, async (runners) => {
    const files = new OpenFiles();
    try {
      return await foldWith(runners, job, files);
    } catch (thrown) {
      throw errnoOf(thrown) === undefined ? thrown : FederationError.from(thrown, 'STORAGE_FAILED');
    } finally {
      await files.close();
    }
  });
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
  const { state } = outputs;
  return {
    digest: outputs.version.running.finish(),
    bytes: outputs.version.bytes,
    state: state && { digest: await digestOfFile(job.stateOutputPath, job.digest), bytes: state.bytes },
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
  readonly control: TensorTable | null;
}

interface OpenInputs {
  readonly base: TensorTable;
  readonly carried: readonly TensorTable[] | null;
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
  const state = recipe.carried.length > 0 && job.statePath !== null ? await files.openInput(job.statePath) : null;
  const carried = state && (await Promise.all(recipe.carried.map(({ name }) => tableOf(state, federated, `${name}/`))));
  const updates: OpenUpdate[] = [];
  for (const { path, ...facts } of fresh) {
    const file = await files.openInput(path);
    const control = recipe.controlsDividedBy === undefined ? null : await tableOf(file, federated, 'control/');
    updates.push({ facts, delta: await tableOf(file, federated), control });
  }
  return { base, carried, updates, stale };
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

interface Outputs {
  readonly version: OutputFile;
  readonly state: OutputFile | null;
  readonly tables: Pick<FoldPlan, 'output' | 'carriedOutputs'>;
}

async function createOutputs(job: FoldJob, recipe: Recipe, files: OpenFiles): Promise<Outputs> {
  const { tensors } = job.manifest;
  const version = await files.createOutput(job.outputPath, tensors, job.metadata, job.digest);
  const output = { descriptor: version.file.fd, starts: Float64Array.from(version.starts) };
  if (recipe.carried.length === 0) return { version, state: null, tables: { output, carriedOutputs: [] } };
  const federated = tensors.filter(({ scope }) => scope === 'federated');
  const named = recipe.carried.flatMap(({ name }) => federated.map((tensor) => ({ ...tensor, name: `${name}/${tensor.name}` })));
  const state = await files.createOutput(job.stateOutputPath, named, { recipe: job.recipe.name }, job.digest);
  const carriedOutputs = recipe.carried.map((_, index) => {
    const starts = state.starts.slice(index * federated.length, (index + 1) * federated.length);
    return outputTable(state.file.fd, tensors, starts);
  });
  return { version, state, tables: { output, carriedOutputs } };
}

/** Spreads the federated tensors' places over the places of all tensors. */
function outputTable(descriptor: number, tensors: readonly TensorEntry[], starts: readonly number[]): OutputTable {
  let next = 0;
  const spread = tensors.map(({ scope }) => (scope === 'federated' ? (starts[next++] as number) : Number.NaN));
  return { descriptor, starts: Float64Array.from(spread) };
}

function planOf(job: FoldJob, recipe: Recipe, inputs: OpenInputs, { tables }: Outputs): FoldPlan {
  const { updates } = inputs;
  const { tensors } = job.manifest;
  const weights = updates.map(({ facts }) => recipe.weightOf(facts));
  const looksAtAll = recipe.combine.kind === 'mean-of-ranks' || recipe.choose !== undefined;
  const together = looksAtAll ? updates.length : Math.min(updates.length, UPDATES_PER_PASS);
  const fitting = Math.min(RANGE_ELEMENTS, INPUT_ELEMENTS / together, job.rangeElements ?? RANGE_ELEMENTS);
  const rangeElements = Math.max(1, Math.floor(fitting / BLOCK_ELEMENTS)) * BLOCK_ELEMENTS;
  return {
    recipe: job.recipe,
    pieces: cutIntoPieces(job.manifest),
    isFederated: tensors.map(({ scope }) => scope === 'federated'),
    elementsPerScale: tensors.map(({ shape }) => elementCount(shape) / scaleCount(shape)),
    rangeElements,
    inputElements: together * rangeElements,
    base: inputs.base,
    deltas: updates.map(({ delta }) => delta),
    weights,
    divisor: recipe.divisorOf?.(updates.map(({ facts }) => facts)) ?? weights.reduce((sum, weight) => sum + weight, 0),
    controls: updates.flatMap(({ control }) => control ?? []),
    controlDivisor: recipe.controlsDividedBy?.(job.sitesOfCampaign) ?? 1,
    carried: inputs.carried,
    ...tables,
  };
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
