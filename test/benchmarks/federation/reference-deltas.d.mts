export function averageByDeltas(
  weights: Float32Array,
  rounds: readonly (readonly { site: string; shift: number; weight: number }[])[],
  format: 'f16' | 'bf16' | 'int8',
): void;
export function rounded(values: Float32Array, format: 'f16' | 'bf16' | 'int8'): Float32Array;
