import { readFileSync } from 'node:fs';
import type { Device } from './choose-devices.js';

/**
 * How a device computes bfloat16: `fast` beats 32-bit floats, `slow` is as exact but takes longer. `poor` is neither: without
 * AVX-512 oneDNN has no bfloat16, and the kernels that TensorFlow falls back to sum in bfloat16, know no dilated convolution and
 * take about ten times as long as 32-bit floats. With the instruction set avx512_bf16 and no AMX, seen on an AMD EPYC, oneDNN's
 * gradient of some convolutions is not a rounded one but wrong altogether (`layers.spec`, two inputs); so such processors are poor too.
 */
export type Bfloat16Support = 'fast' | 'slow' | 'poor';

/** Multiplies bfloat16 faster than 32-bit floats. */
const TILES = 'amx_bf16';
/** Does so too, but not rightly. */
const DOT_PRODUCTS = 'avx512_bf16';
/** What oneDNN calls AVX-512: with it bfloat16 is computed in 32-bit registers. */
const AVX512 = ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'];
/** The first generation of cards with bfloat16 tensor cores (Ampere). */
const FIRST_CAPABILITY = 8.0;

/** A processor whose flags are unknown (another system, another architecture) counts as one without AVX-512. */
export function bfloat16Support(device: Device, processorFlags: () => readonly string[] = readProcessorFlags): Bfloat16Support {
  if (device.kind === 'gpu') return Number(device.card.capability) >= FIRST_CAPABILITY ? 'fast' : 'slow';
  const flags = new Set(processorFlags());
  if (!AVX512.every((name) => flags.has(name))) return 'poor';
  if (flags.has(TILES)) return 'fast';
  return flags.has(DOT_PRODUCTS) ? 'poor' : 'slow';
}

/** The flags that Linux lists for the first processor; none where it does not say. */
export function readProcessorFlags(file = '/proc/cpuinfo'): readonly string[] {
  try {
    const line = /^flags\s*:\s*(.*)$/m.exec(readFileSync(file, 'utf8'));
    return line?.[1]?.split(' ') ?? [];
  } catch {
    return [];
  }
}
