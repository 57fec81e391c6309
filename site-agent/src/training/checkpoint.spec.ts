import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';
import { type Checkpoint, CheckpointStore } from './checkpoint.js';

function tensor(name: string, values: number[]): WeightSet[number] {
  return { name, shape: [values.length], values: Float32Array.from(values) };
}

function checkpointAt(step: number): Checkpoint {
  return {
    state: { step, lossSum: 0.1 + step / 3, lastLoss: 0.1 + 0.2, trainingMs: 12.5, waitedMs: 0.25 },
    parameters: [tensor('e1.0.weight', [step, -0, 1e-42]), tensor('out.bias', [0.1])],
    optimizer: [tensor('momentum/e1.0.weight', [7, 8, 9]), tensor('step', [step])],
  };
}

describe('CheckpointStore', () => {
  const work = digestOfBytes('plan and collection');
  let folder: string;
  let warnings: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
    warnings = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const store = (of = work): CheckpointStore => new CheckpointStore(folder, of, (text) => warnings.push(text));
  const newest = (): string => join(folder, 'checkpoint.safetensors');
  const previous = (): string => join(folder, 'checkpoint.previous.safetensors');

  it('gives back every bit: denormals, negative zero and 64-bit sums', async () => {
    await store().save(checkpointAt(4));
    const loaded = await store().load();
    expect(loaded).toEqual(checkpointAt(4));
    expect(Object.is(loaded?.parameters[0]?.values[1], -0)).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('keeps the newest and the one before it, and leaves nothing else behind', async () => {
    for (const step of [1, 2, 3]) await store().save(checkpointAt(step));
    expect(readdirSync(folder).sort()).toEqual(['checkpoint.previous.safetensors', 'checkpoint.safetensors']);
    expect((await store().load())?.state.step).toBe(3);
    rmSync(newest());
    expect((await store().load())?.state.step).toBe(2);
  });

  it.each([
    ['cut short', () => truncateSync(newest(), 200)],
    ['empty', () => truncateSync(newest(), 0)],
    ['something else', () => writeFileSync(newest(), 'no weights at all')],
    ['altered in one value', () => flipLastByte(newest())],
  ])('falls back, with a warning, when the newest is %s', async (_what, damage) => {
    await store().save(checkpointAt(1));
    await store().save(checkpointAt(2));
    damage();
    expect((await store().load())?.state.step).toBe(1);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('goes back');
  });

  it('starts from the base when nothing reads', async () => {
    await store().save(checkpointAt(1));
    await store().save(checkpointAt(2));
    for (const path of [newest(), previous()]) flipLastByte(path);
    expect(await store().load()).toBeUndefined();
    expect(warnings).toHaveLength(2);
  });

  it('never resumes other work', async () => {
    await store().save(checkpointAt(1));
    expect(await store(digestOfBytes('another plan')).load()).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it('is gone after clearing', async () => {
    await store().save(checkpointAt(1));
    await store().clear();
    expect(readdirSync(folder)).toEqual([]);
    expect(await store().load()).toBeUndefined();
  });
});

function flipLastByte(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  writeFileSync(path, bytes);
}
