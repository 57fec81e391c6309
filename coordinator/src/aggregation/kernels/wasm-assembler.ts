/**
 * The few WebAssembly instructions that the kernels are written in, each as the bytes that the specification gives it
 * (WebAssembly Core Specification 2.0, sections 5.3 to 5.5, with fixed-width SIMD). A function is an array of instructions.
 */
export type Code = readonly number[];

/** Value types of parameters, results and locals. */
export const TYPE = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;
export type ValueType = keyof typeof TYPE;

export interface KernelFunction {
  readonly name: string;
  readonly parameters: readonly ValueType[];
  readonly result?: ValueType;
  readonly locals: readonly ValueType[];
  readonly body: readonly Code[];
}

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number): Code => [0x21, ...unsigned(index)],
};

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  add: [0x6a],
  shiftLeft: [0x74],
  lessThan: [0x49],
  isZero: [0x45],
} as const;

export const f64 = { add: [0xa0] } as const;

export const v128 = {
  load: (offset: number): Code => [...simd(0x00), 0, ...unsigned(offset)],
  /** Eight bytes into the lower half, zeros above. */
  loadHalf: (offset: number): Code => [...simd(0x5d), 0, ...unsigned(offset)],
  store: (offset: number): Code => [...simd(0x0b), 0, ...unsigned(offset)],
  storeHalf: (offset: number): Code => [...simd(0x5b), 0, ...unsigned(offset), 0],
  zero: [...simd(0x0c), ...new Array<number>(16).fill(0)],
  or: simd(0x50),
  anyTrue: simd(0x53),
} as const;

export const f32x4 = {
  notEqual: simd(0x42),
  subtract: simd(0xe5),
  minimum: simd(0xe8),
  maximum: simd(0xe9),
  fromLowF64x2: simd(0x5e),
} as const;

export const f64x2 = {
  splat: simd(0x14),
  lane: (index: 0 | 1): Code => [...simd(0x21), index],
  fromLowF32x4: simd(0x5f),
  add: simd(0xf0),
  subtract: simd(0xf1),
  multiply: simd(0xf2),
  divide: simd(0xf3),
} as const;

/** Runs the body, then again as long as it leaves a number other than 0. */
export function repeatWhile(body: readonly Code[]): Code {
  return [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b];
}

/** A module that imports one shared memory (`memory.shared`, up to `maximumPages` of 64 KiB) and exports the functions. */
export function assembleModule(functions: readonly KernelFunction[], maximumPages: number): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters, result }) => [
    0x60,
    ...vector(parameters.map((type) => [TYPE[type]])),
    ...vector(result === undefined ? [] : [[TYPE[result]]]),
  ]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...text('memory'), ...text('shared'), 2, 3, 1, ...unsigned(maximumPages)]])),
    ...section(3, vector(functions.map((_, index) => unsigned(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))),
    ...section(10, vector(functions.map(functionBytes))),
  ]);
}

function functionBytes({ locals, body }: KernelFunction): Code {
  const content = [...vector(locals.map((type) => [1, TYPE[type]])), ...body.flat(), 0x0b];
  return [...unsigned(content.length), ...content];
}

function simd(operation: number): Code {
  return [0xfd, ...unsigned(operation)];
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function text(name: string): Code {
  return [...unsigned(name.length), ...Buffer.from(name, 'latin1')];
}

/** LEB128: seven bits a byte, the lowest first, the eighth bit says that more follow. */
function unsigned(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 0x7f;
    bytes.push((rest & 0x7f) | (more ? 0x80 : 0));
    rest >>>= 7;
  } while (rest !== 0);
  return bytes;
}

function signed(value: number): Code {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const last = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(last ? low : low | 0x80);
    if (last) return bytes;
  }
}
