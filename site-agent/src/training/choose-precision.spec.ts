import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../engine/devices/choose-devices.js';
import { bfloat16Support, readProcessorFlags } from '../engine/devices/bfloat16-support.js';
import { choosePrecision } from './choose-precision.js';

const CPU: Device = { kind: 'cpu' };

function gpu(capability: string): Device {
  return { kind: 'gpu', card: { index: 0, uuid: 'GPU-1', name: 'card', capability, memoryMib: 1, usedMib: 0, driver: '550' } };
}

describe('the precision of a training', () => {
  it.each([
    [undefined, 'fast', 'f32', undefined],
    ['f32', 'fast', 'f32', undefined],
    ['bf16', 'fast', 'bf16', /as planned$/],
    ['bf16', 'slow', 'bf16', /32-bit floats would be quicker/],
    ['bf16', 'poor', 'f32', /^precision: 32-bit floats; the plan says bfloat16, .*no AVX-512/],
    ['auto', 'fast', 'bf16', /plan says auto/],
    ['auto', 'slow', 'f32', /no fast bfloat16/],
    ['auto', 'poor', 'f32', /no fast bfloat16/],
  ] as const)('planned as %s where bfloat16 is %s is %s', (planned, support, precision, words) => {
    const chosen = choosePrecision(planned, CPU, () => support);
    expect(chosen.precision).toBe(precision);
    if (words === undefined) expect(chosen.announcement).toBeUndefined();
    else expect(chosen.announcement).toMatch(words);
  });

  it('knows bfloat16 by the instruction set or by the card’s generation', () => {
    const avx512 = ['sse2', 'avx2', 'avx512f', 'avx512dq', 'avx512bw', 'avx512vl'];
    expect(bfloat16Support(CPU, () => [...avx512, 'avx512_bf16'])).toBe('poor');
    expect(bfloat16Support(CPU, () => [...avx512, 'avx512_bf16', 'amx_bf16'])).toBe('fast');
    expect(bfloat16Support(CPU, () => [...avx512, 'amx_bf16'])).toBe('fast');
    expect(bfloat16Support(CPU, () => avx512)).toBe('slow');
    expect(bfloat16Support(CPU, () => ['sse2', 'avx2', 'avx512f'])).toBe('poor');
    expect(bfloat16Support(CPU, () => [])).toBe('poor');
    expect(bfloat16Support(gpu('8.0'))).toBe('fast');
    expect(bfloat16Support(gpu('7.5'))).toBe('slow');
  });

  it('reads the flags of a processor, and none where there is no list', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'cpuinfo-')), 'cpuinfo');
    writeFileSync(file, 'processor\t: 0\nflags\t\t: fpu amx_bf16 avx2\nbugs\t\t: none\n');
    expect(readProcessorFlags(file)).toEqual(['fpu', 'amx_bf16', 'avx2']);
    expect(readProcessorFlags(join(file, 'missing'))).toEqual([]);
  });
});
