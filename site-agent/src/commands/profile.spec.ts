import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import type { ChromeTrace } from '../engine/profile/chrome-trace.js';
import { COMPUTES_BFLOAT16 } from '../../../test/fixtures/describe-with-bfloat16.js';
import { profileCommand } from './profile.js';
import type { ProfileReport } from './profile-text.js';

describe('site-agent profile', () => {
  let folder: string;
  let printed: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'profile-'));
    printed = [];
    jest.spyOn(console, 'log').mockImplementation((...words: unknown[]) => void printed.push(words.join(' ')));
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await rm(folder, { recursive: true });
  });

  const invoke = (...words: string[]): Promise<unknown> =>
    profileCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .parseAsync(words, { from: 'user' });
  const tiny = ['--patch', '8,8,8', '--batch', '1', '--steps', '1', '--threads', '1'];

  it('prints tables, and writes the profile and a trace', async () => {
    const [json, trace] = [join(folder, 'profile.json'), join(folder, 'trace.json')];
    await invoke('--width', '1', '--norm', 'batch', ...tiny, '--json', json, '--trace', trace);
    const text = printed.join('\n');
    for (const word of [
      'genesis-unet3d, width 1, batch norm',
      'Conv3DBackpropFilterV2',
      'd1.0',
      'JavaScript',
      'tensors at most',
    ]) {
      expect(text).toContain(word);
    }
    const report = JSON.parse(await readFile(json, 'utf8')) as ProfileReport;
    expect(report).toMatchObject({ kind: 'profile', threads: 1, onGpu: false, profile: { steps: 1 } });
    expect(report.peakResidentBytes).toBeGreaterThan(100 * 2 ** 20);
    expect(report).not.toHaveProperty('records');
    const { traceEvents } = JSON.parse(await readFile(trace, 'utf8')) as ChromeTrace;
    expect(traceEvents.filter(({ cat }) => cat === 'operation').length).toBe(report.profile.callsPerStep);
  });

  it('takes the model of a campaign file, and prints JSON alone', async () => {
    const file = join(folder, 'campaign.yaml');
    await writeFile(file, 'name: lungs\nmodel: { architecture: genesis-unet3d, width: 1, upsampling: nearest }\n');
    await invoke('--model', file, ...tiny, '--precision', 'bf16', '--optimizer', 'adamw', '--json');
    const report = JSON.parse(printed.join('\n')) as ProfileReport;
    expect(report.training).toMatchObject({
      spec: { architecture: 'genesis-unet3d', width: 1, upsampling: 'nearest' },
      precision: COMPUTES_BFLOAT16 ? 'bf16' : 'f32', // as a plan of it is trained on this machine
      optimizer: { kind: 'adamw' },
    });
    expect(report.profile.byOperation.some(({ name }) => name === 'Cast')).toBe(COMPUTES_BFLOAT16);
  });

  it.each([
    [['--patch', '8,8'], /"8,8" is no patch size/],
    [['--batch', '0'], /--batch needs a whole number above 0, not "0"/],
    [['--steps', 'many'], /--steps needs a whole number/],
    [['--width', '99'], /width/],
    [['--norm', 'layer'], /norm/],
    [['--model', 'absent.yaml'], /cannot be read/],
    [['--model', 'absent.yaml', '--width', '2'], /says width and norm itself/],
    [['--precision', 'f16'], /f32, bf16/],
    [['--patch', '9,8,8', '--width', '1', '--batch', '1'], /patches of 9 × 8 × 8 voxels cannot be computed/],
  ])('refuses %j', async (words, message) => {
    await expect(invoke(...words)).rejects.toThrow(message);
  });
});
