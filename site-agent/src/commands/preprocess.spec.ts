import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MadeVolume, writeNifti } from '../../../test/fixtures/make-volume.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

let folder: string;
let home: string;
beforeAll(() => {
  if (!existsSync(join(PROJECT_ROOT, 'site-agent/dist/cli.js'))) throw new Error('the project is not built: run "npm run build"');
  folder = mkdtempSync(join(tmpdir(), 'preprocess-'));
  home = join(folder, 'site');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function agent(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, '--home', home, ...words], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

/** A block of tissue in air; quickly made. */
function scan(seed: number): MadeVolume {
  const value = (i: number, j: number, k: number): number => (i > 8 && j > 8 ? 40 + ((7 * i + 3 * j + seed * k) % 60) : -1000);
  return { sizes: [64, 64, 48], value };
}

const digestOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const entries = (): string[] => readdirSync(join(home, 'prepared')).filter((name) => name.endsWith('.voxels'));

describe('site-agent preprocess', () => {
  it('says what is missing', () => {
    expect(agent('preprocess')).toMatchObject({ status: 2, stderr: expect.stringContaining('FOLDER_MISSING') as string });
    mkdirSync(home);
    expect(agent('preprocess')).toMatchObject({ status: 2, stderr: expect.stringContaining('COLLECTION_EMPTY') as string });
  });

  it('prepares what is indexed, stopped at any moment goes on, and tells what was left out', async () => {
    const scans = join(folder, 'scans');
    mkdirSync(scans);
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries()) writeNifti(join(scans, `${name}.nii`), scan(index));
    expect(agent('index', scans)).toMatchObject({ status: 0 });
    const { atime, mtime } = statSync(join(scans, 'd.nii'));
    writeNifti(join(scans, 'd.nii'), scan(9));
    utimesSync(join(scans, 'd.nii'), atime, mtime); // of the same size and time: only the digest tells

    const child = spawn(process.execPath, [PROGRAM, '--home', home, 'preprocess'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (!existsSync(join(home, 'prepared')) || entries().length === 0) {
      if (child.exitCode !== null) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    child.kill('SIGKILL');
    await ended;
    const before = entries().length;
    expect(before).toBeGreaterThan(0);

    const result = agent('preprocess');
    expect(result).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(`^3 volumes ready: ${3 - before} prepared now`) as string,
    });
    expect(result.stdout).toContain('Left out (1):\n  d.nii: a file has changed since it was indexed');
    expect(JSON.parse(agent('preprocess', '--json').stdout)).toMatchObject({ prepared: 3, made: 0, leftOut: 1 });
    expect(readdirSync(join(home, 'prepared'))).toHaveLength(3);
    expect(agent('index').stdout).toContain('1 headers and the voxels of 1 scans read, 3 files unchanged');
    expect(JSON.parse(agent('preprocess', '--json').stdout)).toMatchObject({ prepared: 4, made: 1, leftOut: 0 });
  });

  it('keeps no copy of a scan that is forgotten meanwhile', async () => {
    const campaign = join(folder, 'meanwhile.yaml');
    writeFileSync(campaign, 'patch:\n  preparation: {spacingMm: [2, 2, 2]}\n');
    const before = entries().length;
    const digests = new Map(['a', 'b', 'c', 'd'].map((name) => [digestOf(join(folder, 'scans', `${name}.nii`)), name]));
    const [last = ''] = [...digests.keys()].sort().reverse(); // prepared last, so not yet when the first is there
    const child = spawn(process.execPath, [PROGRAM, '--home', home, 'preprocess', '--campaign', campaign], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    while (entries().length === before && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1));
    child.kill('SIGSTOP');
    expect(agent('forget', '--path', join(folder, 'scans', `${digests.get(last)}.nii`)).stdout).toContain('Dropped 1 volumes');
    child.kill('SIGCONT');
    await ended;
    expect(entries().filter((name) => name.startsWith(last))).toEqual([]);
    expect(entries()).toHaveLength(2 * (before - 1));
  });

  it('prepares as a campaign asks, beside the rest, within a limit that the volumes fit in', () => {
    const campaign = join(folder, 'campaign.yaml');
    writeFileSync(campaign, 'name: knees\npatch:\n  preparation: {spacingMm: [3, 3, 3], elementType: f16}\n');
    expect(agent('preprocess', '--campaign', campaign)).toMatchObject({ status: 0 });
    expect(entries()).toHaveLength(9);
    const sizes = entries().map((name) => readFileSync(join(home, 'prepared', name)).length);
    expect(new Set(sizes).size).toBe(3);
    const tight = agent('preprocess', '--cache-limit', '1MiB', '--campaign', campaign);
    expect(tight).toMatchObject({ status: 0 }); // all there already: nothing needs room
    writeFileSync(campaign, 'patch:\n  preparation: {spacingMm: [1, 1, 1]}\n');
    expect(agent('preprocess', '--cache-limit', '1MiB', '--campaign', campaign)).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('more than the limit of 1.0 MiB') as string,
    });
    writeFileSync(campaign, 'patch:\n  preparation: {spacing: 1}\n');
    expect(agent('preprocess', '--campaign', campaign)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('CAMPAIGN_INVALID') as string,
    });
  });
});
