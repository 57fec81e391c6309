import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureUpdate } from '../../coordinator/src/updates/measure-update.js';
import type { UpdateShape } from '../../coordinator/src/updates/update-tensors.js';
import { encodeTensors } from '../fixtures/encode-tensors.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

interface Measured {
  readonly outcomes: readonly object[];
  readonly peakBytes: number;
}

describe('updates measured in threads', () => {
  let folder: string;

  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'threads-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  const shapeOf = (rows: number): UpdateShape => ({ deltas: [{ name: 'w', shape: [rows, 1 << 16] }], controls: [] });

  function fileOf(rows: number): string {
    const path = join(folder, `${rows}.safetensors`);
    const values = new Float32Array(rows << 16).map((_, i) => (i % 251) - 125);
    writeFileSync(path, encodeTensors([{ name: 'w', shape: [rows, 1 << 16], values }]));
    return path;
  }

  function inThreads(path: string, expected: UpdateShape, times: number): Measured {
    const script = join(PROJECT_ROOT, 'test/fixtures/measure-in-threads.mjs');
    const printed = execFileSync(process.execPath, [script, path, JSON.stringify(expected), String(times)], { encoding: 'utf8' });
    return JSON.parse(printed) as Measured;
  }

  it('find what the pass finds, several at once, in memory that does not grow with the file', async () => {
    const [small, large] = [fileOf(16), fileOf(256)]; // 4 MiB and 64 MiB
    const alone = inThreads(small, shapeOf(16), 4);
    const together = inThreads(large, shapeOf(256), 4);
    expect(alone.outcomes).toEqual(Array(4).fill(await measureUpdate({ path: small, expected: shapeOf(16) })));
    expect(together.outcomes).toEqual(Array(4).fill(await measureUpdate({ path: large, expected: shapeOf(256) })));
    expect(together.peakBytes - alone.peakBytes).toBeLessThan(24 * 2 ** 20);
  });

  it('say by its code what is wrong, and that a file that cannot be read may be tried again', () => {
    const wrong = inThreads(fileOf(1), shapeOf(2), 1);
    expect(wrong.outcomes).toMatchObject([{ code: 'MANIFEST_MISMATCH' }]);
    expect(inThreads(join(folder, 'none'), shapeOf(2), 3).outcomes).toMatchObject(Array(3).fill({ code: 'STORAGE_FAILED' }));
  });
});
