import { FederationError } from '@consilium/shared/kernel';
import { addGaussianNoise } from '@consilium/shared/safeguards';
import { mergeExchange } from '../combine/sort-ranges.js';
import { UPDATES_PER_PASS } from '../kernels/range-kernels.js';
import type { Ranks, Recipe } from '../recipe.js';
import { recipeOf } from '../recipe-table.js';
import { pairCount, pairIndex } from '../select/pair-distances.js';
import { DeltaWriter } from './delta-writer.js';
import { type FoldMemory, paddedView } from './fold-memory.js';
import type { FoldPlan } from './fold-plan.js';
import { BLOCK_ELEMENTS, type Piece, type Run } from './pieces.js';
import { type RangeToRead, readRange, writeRange } from './range-files.js';
import type { TensorTable } from './tensor-table.js';

/** Tensors to be added up, in site order. */
interface WeightedTables {
  readonly tables: readonly TensorTable[];
  readonly weights: readonly number[];
  readonly divisor: number;
}

/** Folds pieces of one plan in one memory, range by range. Everything here blocks: it runs in threads. */
export class PieceFolder {
  private readonly recipe: Recipe;
  private readonly delta: DeltaWriter | null;

  constructor(
    private readonly plan: FoldPlan,
    private readonly memory: FoldMemory,
  ) {
    this.recipe = recipeOf(plan.recipe);
    this.delta = plan.delta && new DeltaWriter(memory.delta, plan.delta, plan.elementsPerScale);
  }

  /**
   * Writes the piece of the next version, of its delta and of what the recipe carries to their files. Returns the version's part,
   * which lies in the slot until that is used again. Throws TRAINING_DIVERGED when a number leaves the range of 32 bits,
   * UPDATE_NOT_FINITE when it leaves that of the delta's format.
   */
  fold(piece: Piece, slot: number): Uint8Array {
    const next = this.memory.slots[slot] as Float32Array;
    let place = 0;
    for (const run of piece.runs) {
      this.foldRun(run, next, place);
      place += run.to - run.from;
    }
    const [first] = piece.runs;
    const whole = next.subarray(0, place);
    if (first !== undefined) {
      const { descriptor, starts } = this.plan.output;
      writeRange(descriptor, (starts[first.tensor] as number) + 4 * first.from, whole);
    }
    return new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength);
  }

  /** What the piece's federated part adds to the squared distances between all updates, block by block. */
  distances(piece: Piece): Float64Array {
    const { deltas, isFederated } = this.plan;
    const sums = new Float64Array(pairCount(deltas.length));
    for (const run of piece.runs) {
      if (isFederated[run.tensor] !== true) continue;
      for (const range of this.rangesOf(run)) this.addDistances(this.readAll(deltas, range), sums);
    }
    return sums;
  }

  private *rangesOf({ tensor, from, to }: Run): Generator<RangeToRead> {
    const { rangeElements, elementsPerScale } = this.plan;
    for (let start = from; start < to; start += rangeElements) {
      const count = Math.min(rangeElements, to - start);
      yield { tensor, from: start, count, elementsPerScale: elementsPerScale[tensor] as number };
    }
  }

  /** Fills the run's part of `into`, which starts at `start`. */
  private foldRun(run: Run, into: Float32Array, start: number): void {
    const { plan, memory } = this;
    const isFederated = plan.isFederated[run.tensor] === true;
    for (const range of this.rangesOf(run)) {
      const place = range.from - run.from;
      const part = paddedView(into, start + place, range.count);
      if (!isFederated) {
        readRange(plan.base, range, part, memory.stored);
      } else if (this.delta === null) {
        this.foldRange(range, paddedView(memory.base, 0, range.count), part);
        this.addResidual(range, part);
      } else {
        const wanted = paddedView(memory.wanted, 0, range.count);
        this.foldRange(range, part, wanted);
        this.delta.take(place, part, wanted, this.readResidual(range), range.count);
      }
    }
    if (!isFederated || this.delta === null) return;
    const values = paddedView(into, start, run.to - run.from);
    this.delta.finish(run, values);
    this.requireFinite(values);
  }

  /** Where a version is not defined by a delta, what earlier ones lost is made up for at once. */
  private addResidual(range: RangeToRead, next: Float32Array): void {
    if (this.plan.residual === null) return;
    const residual = this.readResidual(range);
    for (let i = 0; i < next.length; i++) next[i] = (next[i] as number) + (residual[i] as number);
    this.requireFinite(next);
  }

  /** In the place of the base, which is not needed any more. */
  private readResidual(range: RangeToRead): Float32Array {
    const residual = paddedView(this.memory.base, 0, range.count);
    if (this.plan.residual === null) residual.fill(0);
    else readRange(this.plan.residual, range, residual, this.memory.stored);
    return residual;
  }

  /** What the recipe makes of the range, in `next`; reads the base into `base`. */
  private foldRange(range: RangeToRead, base: Float32Array, next: Float32Array): void {
    const { plan, memory, recipe } = this;
    const carried = recipe.carried.map((_, index) => this.readCarried(index, range));
    const delta = memory.sums.subarray(0, next.length);
    readRange(plan.base, range, base, memory.stored);
    this.combine(range, delta);
    recipe.advance({ base, delta, next, carried, kernels: memory.kernels });
    this.requireFinite(next);
    if (recipe.controlsDividedBy !== undefined) this.addControls(range, carried[0] as Float32Array);
    this.writeCarried(range, carried);
  }

  private addControls(range: RangeToRead, control: Float32Array): void {
    const { plan, memory } = this;
    const change = memory.sums.subarray(0, control.length);
    this.sumOf({ tables: plan.controls, weights: plan.weights }, range, change);
    memory.kernels.divide(change, plan.controlDivisor);
    memory.kernels.applyDelta(change, control, control, 1);
  }

  /** The combined delta of the updates that hold the tensor; 0 where none does. */
  private combine(range: RangeToRead, into: Float64Array): void {
    const { combine } = this.recipe;
    const held = this.heldOf(range.tensor);
    if (held.tables.length === 0) into.fill(0);
    else if (combine.kind === 'weighted-mean') {
      this.sumOf(held, range, into);
      this.addNoise(range, into);
      this.memory.kernels.divide(into, held.divisor);
    } else this.meanOfRanks(held.tables, range, into, combine.ranksOf(held.tables.length));
  }

  private heldOf(tensor: number): WeightedTables {
    const { deltas: tables, weights, divisor, partial } = this.plan;
    if (partial?.isPartial[tensor] !== true) return { tables, weights, divisor };
    return {
      tables: partial.holders.map((place) => tables[place] as TensorTable),
      weights: partial.holders.map((place) => weights[place] as number),
      divisor: partial.divisor,
    };
  }

  private addNoise({ tensor, from, count }: RangeToRead, sums: Float64Array): void {
    const { noise } = this.plan;
    if (noise === null) return;
    addGaussianNoise(sums.subarray(0, count), noise.key, (noise.starts[tensor] as number) + from, noise.deviation);
  }

  /** Σ wᵢ·δᵢ in site order, a few updates at a time so that memory does not grow with their number. */
  private sumOf({ tables, weights }: Omit<WeightedTables, 'divisor'>, range: RangeToRead, into: Float64Array): void {
    const { kernels, inputs, stored } = this.memory;
    for (let first = 0; first < tables.length; first += UPDATES_PER_PASS) {
      const pass = tables.slice(first, first + UPDATES_PER_PASS).map((update, index) => {
        const values = paddedView(inputs, index * into.length, range.count);
        readRange(update, range, values, stored);
        return values;
      });
      kernels.addWeighted(into, pass, weights.slice(first, first + UPDATES_PER_PASS), first > 0);
    }
  }

  /** Sorts the updates weight by weight and takes the plain mean of the ranks, added from the smallest on. */
  private meanOfRanks(tables: readonly TensorTable[], range: RangeToRead, into: Float64Array, { from, to }: Ranks): void {
    const { kernels } = this.memory;
    const values = this.readAll(tables, range);
    mergeExchange(values.length, (lower, upper) => kernels.order(values[lower] as Float32Array, values[upper] as Float32Array));
    for (let first = from; first < to; first += UPDATES_PER_PASS) {
      const pass = values.slice(first, Math.min(to, first + UPDATES_PER_PASS));
      const ones = pass.map(() => 1);
      kernels.addWeighted(into, pass, ones, first > from);
    }
    kernels.divide(into, to - from);
  }

  private readAll(updates: readonly TensorTable[], range: RangeToRead): Float32Array[] {
    const { inputs, stored } = this.memory;
    let place = 0;
    return updates.map((update) => {
      const values = paddedView(inputs, place, range.count);
      place += values.length;
      readRange(update, range, values, stored);
      return values;
    });
  }

  private addDistances(updates: readonly Float32Array[], sums: Float64Array): void {
    const length = updates[0]?.length ?? 0;
    for (let from = 0; from < length; from += BLOCK_ELEMENTS) {
      const blocks = updates.map((values) => values.subarray(from, Math.min(from + BLOCK_ELEMENTS, length)));
      for (const [a, block] of blocks.entries()) {
        for (let b = 0; b < a; b++) {
          const pair = pairIndex(a, b);
          sums[pair] = (sums[pair] as number) + this.memory.kernels.squaredDistance(block, blocks[b] as Float32Array);
        }
      }
    }
  }

  private readCarried(index: number, range: RangeToRead): Float32Array {
    const values = paddedView(this.memory.carried[index] as Float32Array, 0, range.count);
    const table = this.plan.carried?.[index];
    if (table === undefined) values.fill(this.recipe.carried[index]?.initial ?? 0);
    else readRange(table, range, values, this.memory.stored);
    return values;
  }

  private writeCarried(range: RangeToRead, carried: readonly Float32Array[]): void {
    for (const [index, values] of carried.entries()) {
      this.requireFinite(values);
      const output = this.plan.carriedOutputs[index];
      if (output === undefined) continue;
      writeRange(output.descriptor, (output.starts[range.tensor] as number) + 4 * range.from, values.subarray(0, range.count));
    }
  }

  private requireFinite(values: Float32Array): void {
    if (this.memory.kernels.allFinite(values)) return;
    throw new FederationError('TRAINING_DIVERGED', 'the combined weights leave the range of 32-bit numbers', {
      remedy: 'Lower the learning rate of the campaign and start it again.',
    });
  }
}
