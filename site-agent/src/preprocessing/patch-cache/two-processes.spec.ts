import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { digestOfName } from '../../../../test/fixtures/make-prepared.js';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { openPrepared } from './open-prepared.js';
import { PatchCache } from './patch-cache.js';

const BUILT = join(PROJECT_ROOT, 'site-agent/dist/preprocessing/patch-cache/patch-cache.js');
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const SIZE = [64, 64, 48] as const;

/** Stores entries again and again, as fast as it can, until it is killed. */
const SCRIPT = `
  import { PatchCache } from ${JSON.stringify(new URL(`file://${BUILT}`).href)};
  const { folder, digests, fingerprint, size } = JSON.parse(process.argv[1]);
  const cache = await PatchCache.open(folder);
  const voxels = new Float32Array(size[0] * size[1] * size[2]);
  console.log('ready');
  for (;;) {
    for (const [index, digest] of digests.entries()) {
      voxels.fill((index + 1) / 8);
      await cache.store({ digest, modality: 'CT', fingerprint, sizeVoxels: size, spacingMm: [1, 1, 1],
        affine: [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1], elementType: 'f32', airThreshold: 0.25, airValue: 0 }, voxels);
    }
  }`;

let folder: string;
beforeAll(() => {
  if (!existsSync(BUILT)) throw new Error('the project is not built: run "npm run build"');
  folder = mkdtempSync(join(tmpdir(), 'two-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function start(): ChildProcess {
  const facts = { folder, digests: NAMES.map(digestOfName), fingerprint: digestOfName('fingerprint'), size: SIZE };
  return spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, JSON.stringify(facts)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

function ready(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.stdout?.once('data', resolve));
}

function kill(child: ChildProcess): Promise<unknown> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  return ended;
}

describe('two processes that fill one cache, killed at any moment', () => {
  it('leave entries that are whole or absent, and nothing else', async () => {
    const random = new Random('kills');
    let whole = 0;
    for (let round = 0; round < 6; round++) {
      const children = [start(), start()];
      await Promise.all(children.map(ready));
      await new Promise((resolve) => setTimeout(resolve, random.integer(20, 220)));
      await Promise.all(children.map(kill));
      const cache = await PatchCache.open(folder); // sweeps what the dead left
      expect(readdirSync(folder).filter((name) => !name.endsWith('.voxels'))).toEqual([]);
      for (const [index, name] of NAMES.entries()) {
        const volume = await cache.find({ digest: digestOfName(name), modality: 'CT', fingerprint: digestOfName('fingerprint') });
        if (volume === undefined) continue;
        const reader = openPrepared(volume); // throws at any chunk that is not as it was written
        expect(new Set(reader.readBox([0, 0, 0], SIZE))).toEqual(new Set([(index + 1) / 8]));
        reader.close();
        whole++;
      }
    }
    expect(whole).toBeGreaterThan(6);
  }, 180_000);
});
