import { deltaMetadata, scaleCount, scaleNameOf, type TensorDtype, type TensorEntry } from '@consilium/shared/weights';
import type { Recipe } from '../recipe.js';
import { deltaDtype } from './delta-format.js';
import { type DeltaOrder, type FoldJob, RESIDUAL } from './fold-job.js';
import type { DeltaOutput, FoldPlan, OutputTable } from './fold-plan.js';
import type { OpenFiles, OutputFile } from './open-files.js';

export interface FoldOutputs {
  readonly version: OutputFile;
  readonly state: OutputFile | null;
  readonly delta: (OutputFile & { readonly path: string }) | null;
  readonly tables: Pick<FoldPlan, 'output' | 'carriedOutputs' | 'delta'>;
}

/** Creates all files of a fold in their full size. */
export async function createOutputs(job: FoldJob, recipe: Recipe, files: OpenFiles): Promise<FoldOutputs> {
  const { tensors } = job.manifest;
  const whole = tensors.map((tensor) => ({ ...tensor, dtype: 'F32' as const }));
  const version = await files.createOutput(job.outputPath, whole, job.metadata, job.digest);
  const output = { descriptor: version.file.fd, starts: Float64Array.from(version.starts) };
  const kept = [...recipe.carried.map(({ name }) => name), ...(job.delta?.errorFeedback === true ? [RESIDUAL] : [])];
  const state = kept.length === 0 ? null : await createState(job, kept, files);
  const keptOutputs = state === null ? [] : kept.map((_, index) => outputOf(state, tensors, index));
  const carriedOutputs = keptOutputs.slice(0, recipe.carried.length);
  const residual = keptOutputs[recipe.carried.length] ?? null;
  const delta = job.delta === undefined ? null : await createDelta(job, job.delta, residual, files);
  return { version, state, delta: delta && delta.file, tables: { output, carriedOutputs, delta: delta && delta.output } };
}

/** All federated tensors under each of the names, one name after the other. */
function createState(job: FoldJob, names: readonly string[], files: OpenFiles): Promise<OutputFile> {
  const federated = job.manifest.tensors.filter(({ scope }) => scope === 'federated');
  const named = names.flatMap((name) =>
    federated.map((tensor) => ({ ...tensor, name: `${name}/${tensor.name}`, dtype: 'F32' as const })),
  );
  return files.createOutput(job.stateOutputPath, named, { recipe: job.recipe.name }, job.digest);
}

function outputOf(state: OutputFile, tensors: readonly TensorEntry[], index: number): OutputTable {
  const count = tensors.filter(({ scope }) => scope === 'federated').length;
  return { descriptor: state.file.fd, starts: spread(tensors, state.starts.slice(index * count, (index + 1) * count)) };
}

/** Spreads the federated tensors' places over the places of all tensors. */
function spread(tensors: readonly TensorEntry[], starts: readonly number[]): Float64Array {
  let next = 0;
  return Float64Array.from(tensors.map(({ scope }) => (scope === 'federated' ? (starts[next++] as number) : Number.NaN)));
}

async function createDelta(
  { manifest: { tensors }, metadata, digest }: FoldJob,
  order: DeltaOrder,
  residual: OutputTable | null,
  files: OpenFiles,
): Promise<{ readonly file: OutputFile & { readonly path: string }; readonly output: DeltaOutput }> {
  const dtypes = tensors.map(({ shape }) => deltaDtype(shape, order.format));
  const stored = tensors.flatMap((tensor, place) =>
    tensor.scope === 'federated' ? storedAs(tensor, dtypes[place] ?? 'F32') : [],
  );
  const file = await files.createOutput(order.outputPath, stored, deltaMetadata(order.parent, metadata), digest);
  const startOf = new Map(stored.map(({ name }, index) => [name, file.starts[index] as number]));
  const startsOf = (nameOf: (name: string) => string): Float64Array =>
    Float64Array.from(tensors.map(({ name }) => startOf.get(nameOf(name)) ?? Number.NaN));
  const output = {
    descriptor: file.file.fd,
    dtypes,
    starts: startsOf((name) => name),
    scaleStarts: startsOf(scaleNameOf),
    residual,
  };
  return { file: { ...file, path: order.outputPath }, output };
}

function storedAs(
  { name, shape }: TensorEntry,
  dtype: TensorDtype,
): { readonly name: string; readonly shape: readonly number[]; readonly dtype: TensorDtype }[] {
  const tensor = { name, shape, dtype };
  return dtype === 'I8' ? [tensor, { name: scaleNameOf(name), shape: [scaleCount(shape)], dtype: 'F32' }] : [tensor];
}
