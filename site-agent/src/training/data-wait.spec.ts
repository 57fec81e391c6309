import { DataWait } from './data-wait.js';

function warningsOf(times: readonly (readonly [totalMs: number, waitedMs: number])[]): string[] {
  const warnings: string[] = [];
  const wait = new DataWait((text) => warnings.push(text));
  for (const [totalMs, waitedMs] of times) wait.note({ totalMs, waitedMs });
  return warnings;
}

describe('DataWait', () => {
  it('warns once, with what helps, when steps wait for more than a twentieth of a minute', () => {
    const warnings = warningsOf(Array.from({ length: 500 }, () => [1000, 120]));
    expect(warnings).toEqual([expect.stringMatching(/12 % of its time.*disk.*--threads/)]);
  });

  it('is silent when steps hardly wait, when training is short, and about the first batch', () => {
    expect(warningsOf(Array.from({ length: 500 }, () => [1000, 40]))).toEqual([]);
    expect(warningsOf(Array.from({ length: 50 }, () => [1000, 900]))).toEqual([]);
    expect(warningsOf([[3500, 2500], ...Array.from({ length: 500 }, (): [number, number] => [1000, 1])])).toEqual([]);
  });

  it('looks at each minute by itself', () => {
    const calm = Array.from({ length: 600 }, (): [number, number] => [1000, 0]);
    expect(warningsOf([...calm, ...Array.from({ length: 60 }, (): [number, number] => [1000, 100])])).toHaveLength(1);
  });
});
