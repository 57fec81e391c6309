import type { GpuCard } from '../engine/devices/gpu-cards.js';
import type { GpuFacts } from '../engine/devices/gpu-facts.js';
import { gpuCautions, gpuObstacles } from '../engine/devices/gpu-obstacles.js';
import type { GpuUse } from '../engine/runtime/runtime-facts.js';
import { checkDevice, checkGpu } from './doctor-gpu.js';

const CARD: GpuCard = {
  index: 0,
  uuid: 'GPU-0',
  name: 'NVIDIA A100',
  memoryMib: 40_960,
  usedMib: 0,
  driver: '570.86',
  capability: '8.0',
};

function use(used: boolean, changes: Partial<GpuFacts> = {}, words?: readonly string[]): GpuUse {
  const facts = {
    driver: true,
    cards: [CARD],
    visibleDevices: undefined,
    variant: 'gpu' as const,
    missingLibraries: [],
    lookedIn: [],
    ...changes,
  };
  return { ...facts, used, obstacles: gpuObstacles(facts), cautions: gpuCautions(facts), ...(words && { words }) };
}

describe('what the doctor says about cards', () => {
  it('finds no fault in a computer without a card, but in a driver without one', () => {
    const none = checkGpu(use(false, { cards: [], driver: false }));
    expect(none).toEqual([{ name: 'GPU', status: 'ok', finding: expect.stringContaining('no NVIDIA driver') as string }]);
    const broken = checkGpu(use(false, { cards: [] }));
    expect(broken).toMatchObject([{ status: 'warning', remedy: expect.stringContaining('nvidia-smi') as string }]);
  });

  it('shows a card that is used', () => {
    expect(checkGpu(use(true))).toEqual([{ name: 'GPU', status: 'ok', finding: '0: NVIDIA A100 (40 GiB, driver 570.86)' }]);
  });

  it('gives every reason in the order of mending, each with its remedy', () => {
    const checks = checkGpu(use(false, { variant: 'cpu', cards: [{ ...CARD, driver: '470.1' }], visibleDevices: '-1' }));
    expect(checks.map(({ status, finding }) => [status, finding.replace(/.*: /, '')])).toEqual([
      ['warning', 'NVIDIA A100 (40 GiB, driver 470.1), not used'],
      ['warning', 'TensorFlow is laid in its CPU variant'],
      ['warning', 'its driver 470.1 is too old'],
      ['warning', 'CUDA_VISIBLE_DEVICES="-1" hides it'],
    ]);
    expect(checks[1]?.remedy).toContain('npm run setup -- --variant gpu');
  });

  it('leaves a hidden card alone when another one is used', () => {
    const cards = [CARD, { ...CARD, index: 1, uuid: 'GPU-1', usedMib: 30_000 }];
    expect(checkGpu(use(true, { cards, visibleDevices: '1' })).map(({ status }) => status)).toEqual(['ok', 'warning']);
  });

  it("passes on TensorFlow's own words when nothing else explains it", () => {
    const checks = checkGpu(use(false, {}, ['W0000 gpu_device.cc:1] Skipping registering GPU devices']));
    expect(checks.at(-1)).toMatchObject({ status: 'warning', remedy: expect.stringContaining('Skipping') as string });
  });
});

describe('what the doctor says about the device that was asked for', () => {
  it('names it, the reason and the arithmetic', () => {
    expect(checkDevice('auto', true, use(true))).toMatchObject({
      status: 'ok',
      finding: expect.stringMatching(/^GPU 0 .*TF32 on/) as string,
    });
    expect(checkDevice('auto', true, use(false, { variant: 'cpu' }))).toMatchObject({
      status: 'ok',
      finding: 'the processor, TensorFlow is laid in its CPU variant',
    });
    expect(checkDevice('cpu', true, use(true))).toMatchObject({
      status: 'ok',
      finding: expect.stringContaining('the processor') as string,
    });
  });

  it('fails when it cannot be used', () => {
    expect(checkDevice('gpu:1', true, use(true))).toMatchObject({ status: 'failed', code: 'DEVICE_UNAVAILABLE' });
    expect(checkDevice('gpu', true, use(false))).toMatchObject({ status: 'failed', code: 'DEVICE_UNAVAILABLE' });
    expect(checkDevice('auto', true, use(false))).toMatchObject({
      status: 'ok',
      finding: expect.stringContaining('the processor') as string,
    });
  });
});
