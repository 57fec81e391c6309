import { invariant } from '@consilium/shared/kernel';

/**
 * PyTorch stores a convolution kernel as [a, b, depth, height, width]; TensorFlow wants [depth, height, width, b, a], for
 * plain (a = out, b = in) and transposed (a = in, b = out) convolutions alike. Vectors are the same in both.
 */
export function toEngineShape(shape: readonly number[]): readonly number[] {
  if (shape.length !== 5) return shape;
  const [a, b, ...sides] = shape as [number, number, number, number, number];
  return [...sides, b, a];
}

/** A fresh array in TensorFlow's layout from PyTorch's; `shape` is PyTorch's. */
export function toEngineLayout(values: Float32Array, shape: readonly number[]): Float32Array {
  const [a, ba, taps] = kernelSides(values, shape);
  return transpose(values, a, ba / a, taps, true);
}

/** A fresh array in PyTorch's layout from TensorFlow's; `shape` is PyTorch's. */
export function fromEngineLayout(values: Float32Array, shape: readonly number[]): Float32Array {
  const [a, ba, taps] = kernelSides(values, shape);
  return transpose(values, a, ba / a, taps, false);
}

function kernelSides(values: Float32Array, shape: readonly number[]): [a: number, ba: number, taps: number] {
  const count = shape.reduce((product, side) => product * side, 1);
  invariant(values.length === count, 'a parameter has as many values as its shape says');
  if (shape.length !== 5) return [1, 1, count];
  const [a, b] = shape as [number, number, ...number[]];
  return [a, a * b, count / (a * b)];
}

// PyTorch's index is (a, b, tap), TensorFlow's (tap, b, a).
function transpose(values: Float32Array, sideA: number, sideB: number, taps: number, toEngine: boolean): Float32Array {
  const result = new Float32Array(values.length);
  let there = 0;
  for (let a = 0; a < sideA; a++) {
    for (let b = 0; b < sideB; b++) {
      for (let tap = 0; tap < taps; tap++, there++) {
        const here = (tap * sideB + b) * sideA + a;
        if (toEngine) result[here] = values[there] as number;
        else result[there] = values[here] as number;
      }
    }
  }
  return result;
}
