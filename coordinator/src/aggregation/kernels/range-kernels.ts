/**
 * The loops that a fold spends its time in, in WebAssembly SIMD, assembled here at start: many times as fast as the same loops in
 * JavaScript, and bit for bit what 64-bit arithmetic without contraction gives (docs/decisions/0011). Each works on
 * {@link LANES} elements at a time, so counts are rounded up and buffers are padded with zeros.
 */
import { required } from '@consilium/shared/kernel';
import {
  assembleModule,
  type Code,
  f32x4,
  f64,
  f64x2,
  i32,
  type KernelFunction,
  local,
  repeatWhile,
  v128,
} from './wasm-assembler.js';

/** Elements that one turn of a kernel's loop takes; arrays have a multiple of it. */
export const LANES = 8;

/** Updates that one kernel adds at a time: more would run out of registers. */
export const UPDATES_PER_PASS = 4;

/** 64 KiB each: all that 32-bit places can name. Only pages that are touched take memory. */
const MAXIMUM_PAGES = 65536;

/** The next multiple of {@link LANES}. */
export function paddedCount(count: number): number {
  return Math.ceil(count / LANES) * LANES;
}

/** The kernels over one memory. Every array is a view of that memory and has a multiple of {@link LANES} elements. */
export interface RangeKernels {
  readonly buffer: SharedArrayBuffer;
  /** sums = 0 + w₀·x₀ + w₁·x₁ + … of up to four inputs, added from left to right; not from 0 but from `sums` when it goes on. */
  addWeighted(sums: Float64Array, inputs: readonly Float32Array[], weights: readonly number[], goesOn: boolean): void;
  /** sums = sums / divisor. */
  divide(sums: Float64Array, divisor: number): void;
  /** next = base + rate · delta, rounded once; `next` may be `base`. */
  applyDelta(delta: Float64Array, base: Float32Array, next: Float32Array, rate: number): void;
  /** Whether no element is an infinity or a NaN. */
  allFinite(values: Float32Array): boolean;
  /** Puts the smaller of each pair of numbers into `lower` and the larger into `upper`; a NaN into both. */
  order(lower: Float32Array, upper: Float32Array): void;
  /** Σ (a − b)² in 64 bits; the order of additions depends on the length alone. */
  squaredDistance(a: Float32Array, b: Float32Array): number;
}

// TypeScript's library for Node has no WebAssembly; this is the part of it that is used here.
declare const WebAssembly: {
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => { readonly buffer: SharedArrayBuffer };
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, Kernel> };
};
/** Counts and weights are numbers, places are byte offsets. */
type Kernel = (...values: number[]) => number;

let compiled: object | undefined;

/** A memory of so many bytes, zeros at first, and its kernels. Compiles on first use. */
export function openKernels(bytes: number): RangeKernels {
  compiled ??= new WebAssembly.Module(assembleModule(kernelFunctions(), MAXIMUM_PAGES));
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536), maximum: MAXIMUM_PAGES, shared: true });
  const { exports } = new WebAssembly.Instance(compiled, { memory: { shared: memory } });
  const kernel = (name: string): Kernel => required(exports[name], `the kernel ${name}`);
  const [divide, applyDelta, allFinite] = [kernel('divide'), kernel('applyDelta'), kernel('allFinite')];
  const [order, squaredDistance] = [kernel('order'), kernel('squaredDistance')];
  const adders = [false, true].map((goesOn) => passSizes().map((updates) => kernel(adderName(updates, goesOn))));
  return {
    buffer: memory.buffer,
    addWeighted: (sums, inputs, weights, goesOn) => {
      const add = required(adders[Number(goesOn)]?.[inputs.length - 1], `a kernel for ${inputs.length} updates`);
      add(sums.length, sums.byteOffset, ...inputs.map(({ byteOffset }) => byteOffset), ...weights);
    },
    divide: (sums, divisor) => void divide(sums.length, sums.byteOffset, divisor),
    applyDelta: (delta, base, next, rate) =>
      void applyDelta(delta.length, delta.byteOffset, base.byteOffset, next.byteOffset, rate),
    allFinite: (values) => allFinite(values.length, values.byteOffset) === 1,
    order: (lower, upper) => void order(lower.length, lower.byteOffset, upper.byteOffset),
    squaredDistance: (a, b) => squaredDistance(a.length, a.byteOffset, b.byteOffset),
  };
}

function passSizes(): number[] {
  return Array.from({ length: UPDATES_PER_PASS }, (_, index) => index + 1);
}

function adderName(updates: number, goesOn: boolean): string {
  return `${goesOn ? 'goOn' : 'start'}${updates}`;
}

function kernelFunctions(): KernelFunction[] {
  return [
    ...passSizes().flatMap((updates) => [addWeighted(updates, false), addWeighted(updates, true)]),
    divide(),
    applyDelta(),
    allFinite(),
    order(),
    squaredDistance(),
  ];
}

/** Pairs of elements in one turn of a loop. */
const PAIRS = Array.from({ length: LANES / 2 }, (_, index) => index);

/**
 * A loop over `count` elements, parameter 0. `strides` are the pointers that it moves, each with the bytes of its elements;
 * the first one tells when the end is reached, which is kept in the local `end`.
 */
function loopOver(
  end: number,
  strides: readonly (readonly [pointer: number, elementBytes: 4 | 8])[],
  turn: readonly Code[],
): Code[] {
  const [leading] = strides as readonly [readonly [number, 4 | 8]];
  return [
    ...[local.get(0), i32.const(leading[1] === 4 ? 2 : 3), i32.shiftLeft, local.get(leading[0]), i32.add, local.set(end)],
    repeatWhile([
      ...turn,
      ...strides.flatMap(([pointer, bytes]) => [local.get(pointer), i32.const(bytes * LANES), i32.add, local.set(pointer)]),
      ...[local.get(leading[0]), local.get(end), i32.lessThan],
    ]),
  ];
}

/** (count, sums, x₀ … , w₀ …): two pairs at a time, so that sums, weights and a product fit the sixteen registers. */
function addWeighted(updates: number, goesOn: boolean): KernelFunction {
  const sums = 1;
  const inputs = Array.from({ length: updates }, (_, index) => 2 + index);
  const weights = inputs.map((input) => input + updates);
  const end = 2 + 2 * updates;
  const splats = inputs.map((_, index) => end + 1 + index);
  const pairSums = [end + 1 + updates, end + 2 + updates] as const;
  const addPairs = (first: number): Code[] => {
    const pairs = pairSums.map((sum, index) => ({ sum, pair: first + index }));
    return [
      ...pairs.flatMap(({ sum, pair }) => [...(goesOn ? [local.get(sums), v128.load(16 * pair)] : [v128.zero]), local.set(sum)]),
      ...inputs.flatMap((input, index) =>
        pairs.flatMap(({ sum, pair }) => [
          ...[local.get(sum), local.get(input), v128.loadHalf(8 * pair), f64x2.fromLowF32x4],
          ...[local.get(splats[index] as number), f64x2.multiply, f64x2.add, local.set(sum)],
        ]),
      ),
      ...pairs.flatMap(({ sum, pair }) => [local.get(sums), local.get(sum), v128.store(16 * pair)]),
    ];
  };
  return {
    name: adderName(updates, goesOn),
    parameters: ['i32', 'i32', ...inputs.map(() => 'i32' as const), ...weights.map(() => 'f64' as const)],
    locals: ['i32', ...splats.map(() => 'v128' as const), 'v128', 'v128'],
    body: [
      ...weights.flatMap((weight, index) => [local.get(weight), f64x2.splat, local.set(splats[index] as number)]),
      ...loopOver(end, [[sums, 8], ...inputs.map((input) => [input, 4] as const)], [...addPairs(0), ...addPairs(2)]),
    ],
  };
}

/** (count, sums, divisor) */
function divide(): KernelFunction {
  const [sums, divisor, end, splat] = [1, 2, 3, 4];
  const turn = PAIRS.flatMap((pair) => [
    ...[local.get(sums), local.get(sums), v128.load(16 * pair), local.get(splat), f64x2.divide, v128.store(16 * pair)],
  ]);
  return {
    name: 'divide',
    parameters: ['i32', 'i32', 'f64'],
    locals: ['i32', 'v128'],
    body: [local.get(divisor), f64x2.splat, local.set(splat), ...loopOver(end, [[sums, 8]], turn)],
  };
}

/** (count, delta, base, next, rate) */
function applyDelta(): KernelFunction {
  const [delta, base, next, rate, end, splat] = [1, 2, 3, 4, 5, 6];
  const turn = PAIRS.flatMap((pair) => [
    ...[local.get(next), local.get(base), v128.loadHalf(8 * pair), f64x2.fromLowF32x4],
    ...[local.get(delta), v128.load(16 * pair), local.get(splat), f64x2.multiply, f64x2.add],
    ...[f32x4.fromLowF64x2, v128.storeHalf(8 * pair)],
  ]);
  const strides = [[delta, 8] as const, [base, 4] as const, [next, 4] as const];
  return {
    name: 'applyDelta',
    parameters: ['i32', 'i32', 'i32', 'i32', 'f64'],
    locals: ['i32', 'v128'],
    body: [local.get(rate), f64x2.splat, local.set(splat), ...loopOver(end, strides, turn)],
  };
}

/** (count, values) → 1 or 0: x − x is 0 for finite values and NaN for all others; NaN alone differs from itself. */
function allFinite(): KernelFunction {
  const [values, end, seen, difference] = [1, 2, 3, 4];
  const turn = [0, 16].flatMap((offset) => [
    ...[local.get(values), v128.load(offset), local.get(values), v128.load(offset), f32x4.subtract, local.set(difference)],
    ...[local.get(difference), local.get(difference), f32x4.notEqual, local.get(seen), v128.or, local.set(seen)],
  ]);
  return {
    name: 'allFinite',
    parameters: ['i32', 'i32'],
    result: 'i32',
    locals: ['i32', 'v128', 'v128'],
    body: [...loopOver(end, [[values, 4]], turn), local.get(seen), v128.anyTrue, i32.isZero],
  };
}

/** (count, lower, upper) */
function order(): KernelFunction {
  const [lower, upper, end, a, b] = [1, 2, 3, 4, 5];
  const turn = [0, 16].flatMap((offset) => [
    ...[local.get(lower), v128.load(offset), local.set(a), local.get(upper), v128.load(offset), local.set(b)],
    ...[local.get(lower), local.get(a), local.get(b), f32x4.minimum, v128.store(offset)],
    ...[local.get(upper), local.get(a), local.get(b), f32x4.maximum, v128.store(offset)],
  ]);
  const strides = [[lower, 4] as const, [upper, 4] as const];
  return {
    name: 'order',
    parameters: ['i32', 'i32', 'i32'],
    locals: ['i32', 'v128', 'v128'],
    body: loopOver(end, strides, turn),
  };
}

/** (count, a, b) → f64: one sum for each lane, then ((0 + 1) + (2 + 3)) of the pairs and low + high. */
function squaredDistance(): KernelFunction {
  const [a, b, end, difference] = [1, 2, 3, 4];
  const sums = PAIRS.map((pair) => 5 + pair);
  const turn = PAIRS.flatMap((pair) => [
    ...[local.get(a), v128.loadHalf(8 * pair), f64x2.fromLowF32x4, local.get(b), v128.loadHalf(8 * pair), f64x2.fromLowF32x4],
    ...[f64x2.subtract, local.set(difference)],
    ...[local.get(difference), local.get(difference), f64x2.multiply],
    ...[local.get(sums[pair] as number), f64x2.add, local.set(sums[pair] as number)],
  ]);
  const [s0, s1, s2, s3] = sums.map((sum) => local.get(sum)) as [Code, Code, Code, Code];
  const total = [s0, s1, f64x2.add, s2, s3, f64x2.add, f64x2.add, local.set(difference)];
  return {
    name: 'squaredDistance',
    parameters: ['i32', 'i32', 'i32'],
    result: 'f64',
    locals: ['i32', 'v128', ...sums.map(() => 'v128' as const)],
    body: [
      ...loopOver(
        end,
        [
          [a, 4],
          [b, 4],
        ],
        turn,
      ),
      ...total,
      ...[local.get(difference), f64x2.lane(0), local.get(difference), f64x2.lane(1), f64.add],
    ],
  };
}
