import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../engine/devices/choose-devices.js';
import { hasFastBfloat16, readProcessorFlags } from '../engine/devices/fast-bfloat16.js';
import { choosePrecision } from './choose-precision.js';

const CPU: Device = { kind: 'cpu' };

function gpu(capability: string): Device {
  return { kind: 'gpu', card: { index: 0, uuid: 'GPU-1', name: 'card', capability, memoryMib: 1, usedMib: 0, driver: '550' } };
}

describe('the precision of a training', () => {
  it.each([
    [undefined, true, 'f32', undefined],
    ['f32', true, 'f32', undefined],
    ['bf16', true, 'bf16', /as planned$/],
    ['bf16', false, 'bf16', /32-bit floats would be quicker/],
    ['auto', true, 'bf16', /plan says auto/],
    ['auto', false, 'f32', /no fast bfloat16/],
  ] as const)('planned as %s with fast bfloat16 %s is %s', (planned, fast, precision, words) => {
    const chosen = choosePrecision(planned, CPU, () => fast);
    expect(chosen.precision).toBe(precision);
    if (words === undefined) expect(chosen.announcement).toBeUndefined();
    else expect(chosen.announcement).toMatch(words);
  });

  it('knows bfloat16 by the instruction set or by the card’s generation', () => {
    expect(hasFastBfloat16(CPU, () => ['sse2', 'avx512_bf16'])).toBe(true);
    expect(hasFastBfloat16(CPU, () => ['sse2', 'avx512f'])).toBe(false);
    expect(hasFastBfloat16(gpu('8.0'))).toBe(true);
    expect(hasFastBfloat16(gpu('7.5'))).toBe(false);
  });

  it('reads the flags of a processor, and none where there is no list', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'cpuinfo-')), 'cpuinfo');
    writeFileSync(file, 'processor\t: 0\nflags\t\t: fpu amx_bf16 avx2\nbugs\t\t: none\n');
    expect(readProcessorFlags(file)).toEqual(['fpu', 'amx_bf16', 'avx2']);
    expect(readProcessorFlags(join(file, 'missing'))).toEqual([]);
  });
});
