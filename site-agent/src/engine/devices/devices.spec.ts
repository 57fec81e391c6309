import { chooseDevices, describeDevice } from './choose-devices.js';
import { parseDeviceChoice } from './device-choice.js';
import { describeArithmetic, deviceEnvironment } from './device-environment.js';
import { type GpuCard, parseGpuList, visibleCards } from './gpu-cards.js';
import type { GpuFacts } from './gpu-facts.js';
import { gpuCautions, type GpuObstacle, gpuObstacles, usableCards } from './gpu-obstacles.js';

function card(index: number, changes: Partial<GpuCard> = {}): GpuCard {
  const uuid = `GPU-${index}aaa-bbbb`;
  return { index, uuid, name: 'A100', memoryMib: 40_960, usedMib: 500, driver: '570.86.15', capability: '8.0', ...changes };
}

function facts(changes: Partial<GpuFacts> = {}): GpuFacts {
  const sound = { driver: true, cards: [card(0), card(1)], visibleDevices: undefined, variant: 'gpu' as const };
  return { ...sound, missingLibraries: [], lookedIn: ['/opt/cuda'], ...changes };
}

describe('the device setting', () => {
  it.each([
    ['auto', { kind: 'auto' }],
    ['cpu', { kind: 'cpu', trainers: 1 }],
    ['cpu:0,1', { kind: 'cpu', trainers: 2 }],
    ['gpu', { kind: 'gpu', indices: 'first' }],
    ['gpu:1', { kind: 'gpu', indices: [1] }],
    ['gpu:1,0', { kind: 'gpu', indices: [1, 0] }],
  ])('reads %s', (text, choice) => expect(parseDeviceChoice(text)).toEqual(choice));

  it.each(['', 'GPU', 'gpu:', 'gpu:a', 'gpu:0,0', 'cuda:0', 'gpu:0 '])('refuses "%s"', (text) => {
    expect(() => parseDeviceChoice(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });
});

describe('what nvidia-smi lists', () => {
  it('becomes cards, and everything else is passed over', () => {
    const text =
      '0, GPU-5f, NVIDIA H200, 143771, 4, 570.86.15, 9.0\n1, GPU-6a, Tesla T4, 15360, [N/A], 535.1, 7.5\n\nNo devices\n';
    expect(parseGpuList(text)).toEqual([
      { index: 0, uuid: 'GPU-5f', name: 'NVIDIA H200', memoryMib: 143_771, usedMib: 4, driver: '570.86.15', capability: '9.0' },
      { index: 1, uuid: 'GPU-6a', name: 'Tesla T4', memoryMib: 15_360, usedMib: 0, driver: '535.1', capability: '7.5' },
    ]);
  });

  it.each<[string | undefined, number[]]>([
    [undefined, [0, 1, 2]],
    ['', []],
    ['-1', []],
    ['2, 0', [2, 0]],
    ['1,7,0', [1]],
    ['GPU-2aa', [2]],
    ['MIG-12', [0]],
  ])('is narrowed by CUDA_VISIBLE_DEVICES=%s', (visibleDevices, indices) => {
    expect(visibleCards([card(0), card(1), card(2)], visibleDevices).map(({ index }) => index)).toEqual(indices);
  });
});

describe('why a card is not used', () => {
  it.each<[string, Partial<GpuFacts>, GpuObstacle['kind'][]]>([
    ['nothing stands in the way', {}, []],
    ['no driver', { driver: false, cards: [] }, ['no-driver']],
    ['a driver without cards', { cards: [] }, ['no-card']],
    ['neither driver nor the GPU variant', { driver: false, cards: [], variant: 'cpu' }, ['no-driver', 'cpu-variant']],
    ['the CPU variant', { variant: 'cpu', missingLibraries: ['libcudnn.so.9'] }, ['cpu-variant']],
    ['no cuDNN', { missingLibraries: ['libcudnn.so.9'] }, ['libraries-missing']],
    ['an old card', { cards: [card(0, { capability: '5.2' })] }, ['card-too-old']],
    [
      'Blackwell',
      { cards: [card(0, { capability: '12.0' }), card(1, { capability: '10.0' })] },
      ['card-too-new', 'card-too-new'],
    ],
    ['an old driver', { cards: [card(0, { driver: '470.256.02' })] }, ['driver-too-old']],
    ['a driver of CUDA 12.0', { cards: [card(0, { driver: '525.60.13' })] }, []],
    ['Hopper with that driver', { cards: [card(0, { driver: '525.60.13', capability: '9.0' })] }, ['driver-too-old']],
    ['one hidden card', { visibleDevices: '1' }, ['hidden']],
    [
      'everything at once, in the order of mending',
      { variant: 'cpu', visibleDevices: '-1', cards: [card(0, { capability: '10.0', driver: '470.1' })] },
      ['cpu-variant', 'card-too-new', 'driver-too-old', 'hidden'],
    ],
  ])('%s', (_what, changes, kinds) => {
    const found = gpuObstacles(facts(changes));
    expect(found.map(({ kind }) => kind)).toEqual(kinds);
    for (const { reason, remedy } of found) expect(Math.min(reason.length, remedy.length)).toBeGreaterThan(20);
  });

  it('names the libraries and where it looked, and the card', () => {
    const [missing] = gpuObstacles(facts({ missingLibraries: ['libcudnn.so.9', 'libcufft.so.11'] }));
    expect(missing?.reason).toContain('libcudnn.so.9, libcufft.so.11');
    expect(missing?.remedy).toContain('/opt/cuda');
    expect(gpuObstacles(facts({ visibleDevices: '1' }))[0]).toMatchObject({
      card: 0,
      reason: expect.stringContaining('GPU 0 (A100)') as string,
    });
  });

  it('warns of cards that others use and that cuDNN gives up', () => {
    const cards = [card(0, { usedMib: 30_000 }), card(1, { capability: '7.0' })];
    expect(gpuCautions(facts({ cards })).map(({ kind, card: index }) => [kind, index])).toEqual([
      ['memory-in-use', 0],
      ['old-for-cudnn', 1],
    ]);
    expect(gpuCautions(facts({ cards, variant: 'cpu' }))).toEqual([]);
  });
});

describe('the choice of devices', () => {
  const choose = (setting: string, changes: Partial<GpuFacts> = {}): string[] =>
    chooseDevices(parseDeviceChoice(setting), () => facts(changes)).devices.map((device) =>
      device.kind === 'cpu' ? 'cpu' : `gpu ${device.card.index}`,
    );

  it('takes what was asked for, in that order', () => {
    expect(choose('gpu')).toEqual(['gpu 0']);
    expect(choose('gpu:1,0')).toEqual(['gpu 1', 'gpu 0']);
    expect(choose('gpu', { visibleDevices: '1' })).toEqual(['gpu 1']);
    expect(choose('cpu:0,1')).toEqual(['cpu', 'cpu']);
  });

  it('does not ask for facts about cards when it needs none', () => {
    expect(() =>
      chooseDevices({ kind: 'cpu', trainers: 1 }, () => {
        throw new Error('asked');
      }),
    ).not.toThrow();
  });

  it('takes one card by itself and says what it left', () => {
    const { devices, reason } = chooseDevices({ kind: 'auto' }, () => facts());
    expect(devices.map(describeDevice)).toEqual(['GPU 0 (A100, 40 GiB)']);
    expect(reason).toContain('gpu:0,1');
    expect(choose('auto', { cards: [card(0, { usedMib: 39_000 }), card(1)] })).toEqual(['gpu 1']);
    expect(choose('auto', { cards: [card(0, { usedMib: 39_000 })] })).toEqual(['gpu 0']);
  });

  it('goes to the processor by itself with the first reason', () => {
    const plan = chooseDevices({ kind: 'auto' }, () => facts({ variant: 'cpu', visibleDevices: '0' }));
    expect(plan).toEqual({ devices: [{ kind: 'cpu' }], reason: expect.stringContaining('CPU variant') as string });
  });

  it.each<[string, Partial<GpuFacts>, RegExp]>([
    ['gpu', { variant: 'cpu' }, /no GPU can be used: .*CPU variant/],
    ['gpu', { driver: false, cards: [] }, /no NVIDIA driver/],
    ['gpu:0,2', {}, /GPU 2 cannot be used: there are these cards: 0, 1/],
    ['gpu:0', { visibleDevices: '1' }, /CUDA_VISIBLE_DEVICES="1" hides it/],
    ['gpu:1', { cards: [card(0, { capability: '3.5' }), card(1, { capability: '10.0' })] }, /GPU 1 .*newer/],
  ])('refuses %s with the reason, never in silence', (setting, changes, reason) => {
    expect(() => choose(setting, changes)).toThrow(
      expect.objectContaining({ code: 'DEVICE_UNAVAILABLE', message: expect.stringMatching(reason) as string }) as Error,
    );
  });

  it('names the one card to TensorFlow, and TF32 only where there is some', () => {
    const gpu = (changes: Partial<GpuCard> = {}) => ({ kind: 'gpu', card: card(1, changes) }) as const;
    expect(deviceEnvironment({ kind: 'cpu' })).toEqual({ CUDA_VISIBLE_DEVICES: '-1' });
    expect(deviceEnvironment(gpu())).toEqual({ CUDA_VISIBLE_DEVICES: 'GPU-1aaa-bbbb', TF_DETERMINISTIC_OPS: '1' });
    expect(deviceEnvironment(gpu(), { tf32: false })).toMatchObject({ NVIDIA_TF32_OVERRIDE: '0' });
    expect(describeArithmetic(gpu())).toContain('TF32 on');
    expect(describeArithmetic(gpu(), { tf32: false })).toBe('TF32 off');
    expect(describeArithmetic(gpu({ capability: '7.5' }))).toBeUndefined();
    expect(usableCards(facts({ visibleDevices: 'MIG-9' }))[0]).toMatchObject({ uuid: 'MIG-9' });
  });
});
