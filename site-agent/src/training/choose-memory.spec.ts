import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { modelSpecSchema } from '@consilium/shared/models';
import { Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { chooseMemory, type MemoryChoice } from './choose-memory.js';
import { foreseeStep } from './foresee-step.js';
import { residentBytesOf } from './memory-plan.js';

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 16, norm: 'batch' });
const step = { spec, patches: 4, sizeVoxels: [64, 64, 32], optimizer: { kind: 'sgd', learningRate: 1, momentum: 0 } } as const;

const PROGRAM_AND_THREAD_BYTES = 75 * 2 ** 20;

let folder: string;
let announced: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'consilium-'));
  announced = [];
});
afterEach(() => rm(folder, { recursive: true }));

/** The choice when the step may add so many bytes to what this process holds; half-way between two ways' needs is safe. */
function choose(addedBytes: number, binding = new ShapeBinding(), batchBytes?: number): Promise<MemoryChoice> {
  const context = { announce: (text: string): void => void announced.push(text) };
  const limitBytes = process.memoryUsage.rss() + PROGRAM_AND_THREAD_BYTES + addedBytes;
  const recordFile = join(folder, 'memory.json');
  return chooseMemory(step, { runtime: new Runtime(binding), context, batchThreads: 1, batchBytes, limitBytes, recordFile });
}

function between(more: MemoryChoice, less: MemoryChoice): number {
  const [upper, lower] = [more, less].map((way) => residentBytesOf(foreseeStep({ ...step, ...way }), 'f32')) as [number, number];
  return (upper + lower) / 2;
}

describe('choosing how a step fits into memory', () => {
  const whole = { memory: 'leanest', patchesPerPass: undefined } as const;
  const halves = { memory: 'leanest', patchesPerPass: 2 } as const;

  it('leaves the step alone where there is room, in one line', async () => {
    expect(await choose(2 ** 40)).toEqual({ memory: undefined, patchesPerPass: undefined });
    expect(announced).toEqual([expect.stringMatching(/^memory: .* nothing changed$/)]);
  });

  it('keeps to the passes of the attempt before, however much room there is now', async () => {
    expect(await choose(between(whole, halves))).toEqual(halves);
    expect(await choose(2 ** 40)).toEqual({ memory: undefined, patchesPerPass: 2 });
    expect(announced[1]).toContain('as in the attempt before');
  });

  it('counts the batches that are kept ready for the steps', async () => {
    const room = between(whole, halves);
    expect(await choose(room + 2 ** 30, undefined, 2 ** 30)).toEqual(halves);
    await expect(choose(room, undefined, 2 ** 40)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  });

  it('leaves tensors on a GPU to the library', async () => {
    class OnGpu extends ShapeBinding {
      override isUsingGpuDevice(): boolean {
        return true;
      }
    }
    expect(await choose(0, new OnGpu())).toEqual({});
    expect(announced).toEqual([]);
  });

  it('refuses what cannot fit', async () => {
    await expect(choose(0)).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
  });
});
