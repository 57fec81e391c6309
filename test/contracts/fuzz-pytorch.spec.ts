import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError, type Random } from '@consilium/shared/kernel';
import { importCheckpoint } from '../../site-agent/src/checkpoints/import-checkpoint.js';
import { fuzzInputs } from '../fixtures/fuzz-inputs.js';
import { mutateBytes, pick } from '../fixtures/mutate-bytes.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const GOLDENS = ['genesis-zip.pt', 'genesis-legacy.pt', 'resnet10-legacy.pth', 'resnet18-zip.pth'].map((name) =>
  readFileSync(join(PROJECT_ROOT, 'test/fixtures/pytorch-checkpoints', name)),
);
/** Where pickles and directories lie: mutations in the numbers between them go unnoticed, as they must. */
const PICKLE_BYTES = 24_000;

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'consilium-fuzz-pytorch-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('mutated PyTorch checkpoints', () => {
  it('are read or refused as malformed, as asking for code, or as another network: no crash, no hang', async () => {
    const path = join(folder, 'mutated.pt');
    const codes = new Map<string, number>();
    const { read } = await fuzzInputs({
      spec: 'test/contracts/fuzz-pytorch.spec.ts',
      count: 4000,
      longestMs: 5000,
      make: mutated,
      read: async (input) => {
        writeFileSync(path, input);
        const code = await importCheckpoint(path).then(
          () => 'read',
          (error: unknown) => {
            if (!(error instanceof FederationError) || !EXPECTED.has(error.code)) throw error;
            return error.code;
          },
        );
        codes.set(code, (codes.get(code) ?? 0) + 1);
      },
    });
    if (process.env['CONSILIUM_FUZZ_INPUT'] !== undefined) return;
    expect(read).toBe([...codes.values()].reduce((sum, count) => sum + count, 0));
    // Mutations that never reach one of the refusals would prove little.
    expect([...codes.keys()].sort()).toEqual(['read', ...EXPECTED].sort());
  }, 180_000);
});

const EXPECTED: ReadonlySet<string> = new Set(['WEIGHTS_MALFORMED', 'PICKLE_REFUSED', 'MANIFEST_MISMATCH']);

/** Damage of all kinds, mostly where the format is: the pickle at the beginning, or the directory at the end. */
function mutated(random: Random): Uint8Array {
  const bytes = pick(random, GOLDENS);
  const length = Math.min(PICKLE_BYTES, bytes.length);
  switch (random.integer(0, 2)) {
    case 0:
      return mutateBytes(random, bytes);
    case 1:
      return Buffer.concat([mutateBytes(random, bytes.subarray(0, length)), bytes.subarray(length)]);
    default:
      return Buffer.concat([
        bytes.subarray(0, bytes.length - length),
        mutateBytes(random, bytes.subarray(bytes.length - length)),
      ]);
  }
}
