import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { readSafetensors, writeSafetensors } from '@consilium/shared/weights';
import { writeShiftedUpdate } from './write-shifted-update.js';

describe('the update of a light site', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'light-update-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is trained − base, both rounded to 32 bits, over range borders too', async () => {
    const count = (1 << 20) + 3;
    const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    const base = [
      { name: 'kept', shape: [2], values: new Float32Array([7, 8]) },
      { name: 'big', shape: [count], values },
    ];
    await writeSafetensors(join(folder, 'base'), base);
    const updatePath = join(folder, 'update');
    const { digest, bytes } = await writeShiftedUpdate({
      basePath: join(folder, 'base'),
      updatePath,
      manifest: { tensors: [{ name: 'big', shape: [count], dtype: 'F32', scope: 'federated' }] },
      shift: 1e-3,
      metadata: { round: '4' },
      algorithm: 'blake3',
      signal: new AbortController().signal,
    });
    expect(await digestOfFile(updatePath, 'blake3')).toBe(digest);
    const { weights, metadata, header } = await readSafetensors(updatePath);
    expect(header.fileBytes).toBe(bytes);
    expect(metadata).toEqual({ round: '4' });
    expect(weights.map(({ name }) => name)).toEqual(['big']);
    const trained = new Float32Array(count);
    const delta = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      trained[i] = (values[i] as number) + 1e-3;
      delta[i] = (trained[i] as number) - (values[i] as number);
    }
    expect(Buffer.from(weights[0]?.values.buffer ?? new ArrayBuffer(0)).equals(Buffer.from(delta.buffer))).toBe(true);
  });

  it('leaves no file when it is stopped', async () => {
    await writeSafetensors(join(folder, 'base'), [{ name: 'w', shape: [1], values: new Float32Array(1) }]);
    const updatePath = join(folder, 'update');
    const order = {
      basePath: join(folder, 'base'),
      updatePath,
      manifest: { tensors: [{ name: 'w', shape: [1], dtype: 'F32' as const, scope: 'federated' as const }] },
      shift: 1,
      metadata: {},
      algorithm: 'sha256' as const,
      signal: AbortSignal.abort(),
    };
    await expect(writeShiftedUpdate(order)).rejects.toThrow();
    await expect(digestOfFile(updatePath)).rejects.toThrow('ENOENT');
  });
});
