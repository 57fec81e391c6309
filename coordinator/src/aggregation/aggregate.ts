/**
 * The fold of a round: updates are read range by range and added in site order in 64 bits, so that the result is the same
 * bytes whatever the order of arrival, and memory does not grow with the number of sites or the size of the model.
 * The default recipe is federated averaging (McMahan et al., AISTATS 2017).
 */
import { FederationError, invariant } from '@consilium/shared/kernel';
import { allFinite, elementCount, encodeElements, encodeHeader, type Manifest } from '@consilium/shared/weights';
import type { RecipePlan } from '@consilium/shared/wire';
import { recipeOf } from './recipe-table.js';

/** Elements folded at a time: a range of sums and values fits the processor's cache. */
export const RANGE_ELEMENTS = 1 << 18;

/** Random access to the tensors of one weight file. */
export interface TensorReader {
  /** The result may be a view of the scratch array, overwritten by the next read with it. */
  read(name: string, from: number, to: number, scratch?: Float32Array): Promise<Float32Array>;
}

export interface UpdateToFold {
  /** Fixes the order of the sum. */
  readonly siteName: string;
  readonly patches: number;
  readonly delta: TensorReader;
}

export interface FoldInput {
  readonly manifest: Manifest;
  readonly base: TensorReader;
  readonly updates: readonly UpdateToFold[];
  readonly recipe: RecipePlan;
  readonly metadata: Readonly<Record<string, string>>;
  readonly rangeElements?: number;
  /** Stops between two ranges; what was yielded until then is worthless. */
  readonly signal?: AbortSignal;
}

/** Yields the next version as the bytes of a safetensors file. Throws TRAINING_DIVERGED when a sum leaves the range of 32 bits. */
export async function* aggregate(input: FoldInput): AsyncGenerator<Uint8Array> {
  const { tensors } = input.manifest;
  const updates = [...input.updates].sort((a, b) => (a.siteName < b.siteName ? -1 : 1));
  invariant(updates.length > 0, 'a fold needs at least one update');
  yield encodeHeader(tensors, input.metadata).bytes;
  const step = input.rangeElements ?? RANGE_ELEMENTS;
  // One buffer for all reads: fresh ones for every range would keep the garbage collector busier than the sums.
  const scratch = new Float32Array(Math.min(step, Math.max(...tensors.map(({ shape }) => elementCount(shape)))));
  for (const tensor of tensors) {
    const count = elementCount(tensor.shape);
    for (let from = 0; from < count; from += step) {
      input.signal?.throwIfAborted();
      const to = Math.min(from + step, count);
      const isFolded = tensor.scope === 'federated';
      const next = isFolded
        ? await foldRange(input, updates, { name: tensor.name, from, to, scratch })
        : await input.base.read(tensor.name, from, to);
      yield encodeElements(next, tensor.dtype);
    }
  }
}

interface Range {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly scratch: Float32Array;
}

async function foldRange(
  { base, recipe: plan }: FoldInput,
  updates: readonly UpdateToFold[],
  { name, from, to, scratch }: Range,
): Promise<Float32Array> {
  const recipe = recipeOf(plan);
  const fold = recipe.openFold(to - from);
  for (const { delta, patches } of updates) fold.add(await delta.read(name, from, to, scratch), recipe.weightOf(patches, plan));
  const next = recipe.advance(await base.read(name, from, to, scratch), fold.combined());
  if (allFinite(next)) return next;
  throw new FederationError('TRAINING_DIVERGED', 'the combined weights leave the range of 32-bit numbers', {
    remedy: 'Lower the learning rate of the campaign and start it again.',
  });
}
