import { readFileSync } from 'node:fs';
import type { Device } from './choose-devices.js';

/** The processor's instruction sets that multiply bfloat16 faster than 32-bit floats. */
const INSTRUCTIONS = ['amx_bf16', 'avx512_bf16'];
/** The first generation of cards with bfloat16 tensor cores (Ampere). */
const FIRST_CAPABILITY = 8.0;

/** True when a device computes faster in bfloat16 than in 32 bits. */
export function hasFastBfloat16(device: Device, processorFlags: () => readonly string[] = readProcessorFlags): boolean {
  if (device.kind === 'gpu') return Number(device.card.capability) >= FIRST_CAPABILITY;
  const flags = processorFlags();
  return INSTRUCTIONS.some((name) => flags.includes(name));
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
