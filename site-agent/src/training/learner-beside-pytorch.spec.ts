import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestOf, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { cosine } from '../../../test/fixtures/cosine.js';
import { describeWithOracle, describeWithShelf } from '../../../test/fixtures/reference-shelf.js';
import { fromEngineLayout } from '../engine/kernel-layout.js';
import { openRuntime } from '../engine/open-runtime.js';
import { Learner } from './learner.js';

const WIDTH = 2;
const BATCH = 2;

interface Index {
  loss: { f32: number; f64: number };
}

/** Full-size patches against the reference network, whose goldens a script of the shelf computes now. */
describeWithShelf('a full-size step beside the reference network', (shelf) => {
  describeWithOracle('in PyTorch', (python) => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-oracle-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('has its 64-bit loss, and its gradients up to 32-bit noise', () => {
      execFileSync(python, [join(shelf, 'reference/export_goldens.py'), String(WIDTH), String(BATCH), folder], { stdio: 'pipe' });
      const { loss } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as Index;
      const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: WIDTH, norm: 'batch' });
      const weightsNamed = (prefix: string): WeightSet =>
        manifestOf(spec).tensors.map(({ name, shape }) => ({
          name,
          shape,
          values: fromEngineLayout(floats(`${prefix}.${name}`), shape),
        }));
      const learner = Learner.create({ runtime: openRuntime({ threads: 2 }), spec });
      learner.loadWeights(weightsNamed('weight'));
      const batch = { patches: BATCH, sizeVoxels: [64, 64, 32], input: floats('input'), target: floats('target') } as const;
      const actual = learner.lossAndGradients(batch);
      learner.dispose();
      expect(Math.abs(actual.loss - loss.f64)).toBeLessThan(2e-6);
      for (const [i, { name, values }] of weightsNamed('gradient_f64').entries()) {
        if (/^[ed]\d\.[03]\.bias$/.test(name)) continue; // zero but for rounding
        const found = cosine([actual.gradients[i]?.values ?? new Float32Array(), values]);
        expect({ name, found, fits: found >= 0.9999 }).toMatchObject({ fits: true });
      }
    }, 120_000);

    function floats(name: string): Float32Array {
      const bytes = readFileSync(join(folder, `${name}.bin`));
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    }
  });
});
