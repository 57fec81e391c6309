import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { initialWeights, type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { openRuntime } from '../../site-agent/src/engine/open-runtime.js';
import { writeModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import { Learner } from '../../site-agent/src/training/learner.js';
import { describeWithOracle, describeWithShelf, oraclePython, PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
const SIZE = [16, 24, 8] as const;
const PATCHES = 2;

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'consilium-export-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const specOf = (overrides: object): ModelSpec =>
  modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 4, ...overrides });

/** Seeded weights whose norms are not the identity, so that a swapped scale and shift would show. */
function lively(spec: ModelSpec): WeightSet {
  return initialWeights(spec, 11).map((tensor) => {
    const random = new Random(`lively/${tensor.name}`);
    // Untrained activations vary little: with variances near one every answer would be one half.
    if (tensor.name.endsWith('running_var')) return { ...tensor, values: tensor.values.map(() => random.between(0.1, 0.2)) };
    return tensor.shape.length > 1
      ? tensor
      : { ...tensor, values: tensor.values.map((value) => value + random.between(-0.3, 0.3)) };
  });
}

/** Runs the real program; throws with its words when it fails. */
function exportModel(spec: ModelSpec, name: string, dtype = 'F32'): { file: string; weights: WeightSet } {
  const [source, file] = [join(folder, `${name}-source.safetensors`), join(folder, `${name}.safetensors`)];
  execFileSync(process.execPath, [PROGRAM, 'export', '--model', source, '--output', file, '--dtype', dtype]);
  return { file, weights: lively(spec) };
}

async function prepare(spec: ModelSpec, name: string): Promise<void> {
  await writeModelFile(join(folder, `${name}-source.safetensors`), { spec, weights: lively(spec) });
}

function makePatches(): Float32Array {
  const random = new Random('patches');
  return Float32Array.from({ length: PATCHES * SIZE[0] * SIZE[1] * SIZE[2] }, () => random.uniform24());
}

function ourAnswer(spec: ModelSpec, weights: WeightSet): Float32Array {
  const learner = Learner.create({ runtime: openRuntime({ threads: 1 }), spec });
  try {
    learner.loadWeights(weights);
    return learner.predict(makePatches(), PATCHES, SIZE);
  } finally {
    learner.dispose();
  }
}

/** Lets Python answer: `model` must be set by the preamble; answers come back laid out as ours. */
function pythonAnswer(python: string, preamble: string, paths: readonly string[]): Float32Array {
  const [input, output] = [join(folder, 'input.f32'), join(folder, 'output.f32')];
  writeFileSync(input, makePatches());
  const script = `
import sys, numpy, torch
${preamble}
patches = torch.from_numpy(numpy.fromfile("${input}", dtype="<f4").reshape(${PATCHES}, 1, ${SIZE.join(', ')}).copy())
with torch.no_grad():
    answer = model(patches)
numpy.ascontiguousarray(answer.permute(0, 2, 3, 4, 1).numpy()).tofile("${output}")`;
  execFileSync(python, ['-c', script, ...paths], { stdio: ['ignore', 'inherit', 'inherit'] });
  const bytes = readFileSync(output);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] as number))), 0);
}

/** Equal answers prove nothing when they are all one half. */
function expectEqualAnswers(theirs: Float32Array, ours: Float32Array, what: string, tolerance = 1e-4): void {
  const difference = largestDifference(theirs, ours);
  process.stderr.write(`${what}: largest difference ${difference.toExponential(1)}\n`);
  expect(difference).toBeLessThan(tolerance);
  expect(Math.max(...ours) - Math.min(...ours)).toBeGreaterThan(0.05);
}

describe('export', () => {
  it('keeps every value and the spec, and rounds only when asked to', async () => {
    const spec = specOf({ outputs: 3 });
    await prepare(spec, 'kept');
    const { file, weights } = exportModel(spec, 'kept');
    const exported = await readSafetensors(file);
    expect(exported.weights).toEqual(weights);
    expect(JSON.parse(exported.metadata['modelSpec'] ?? '')).toEqual(spec);
    expect(exported.metadata['format']).toBe('pt');
    const half = await readSafetensors(exportModel(spec, 'kept', 'BF16').file);
    expect(half.header.tensors[0]?.dtype).toBe('BF16');
  }, 60_000);
});

describeWithShelf('an exported model in the reference network', (shelf) => {
  it('gives the answers of our own predict', async () => {
    const python = oraclePython();
    if (python === undefined) {
      process.stderr.write('passed over: CONSILIUM_ORACLE_PYTHON is not set\n');
      return;
    }
    const spec = specOf({ norm: 'batch' });
    await prepare(spec, 'reference');
    const { file, weights } = exportModel(spec, 'reference');
    const preamble = `
from safetensors.torch import load_file
sys.path.insert(0, sys.argv[1])
from models_genesis_unet import GenesisUNet
model = GenesisUNet(width=4)
missing, unexpected = model.load_state_dict(load_file(sys.argv[2]), strict=False)
assert not unexpected, unexpected
# The reference keeps running statistics that it never uses: it stays in training mode, as the published code does.
assert all("running_" in name or "num_batches" in name for name in missing), missing`;
    const theirs = pythonAnswer(python, preamble, [join(shelf, 'reference'), file]);
    expectEqualAnswers(theirs, ourAnswer(spec, weights), 'reference network');
  }, 120_000);
});

describeWithOracle('an exported model in the Python module beside it', (python) => {
  it.each([
    { norm: 'batch', upsampling: 'transposed', outputs: 1 },
    { norm: 'instance', upsampling: 'transposed', outputs: 2 },
    { norm: 'instance', upsampling: 'nearest', outputs: 1 },
    { norm: 'group', upsampling: 'nearest', outputs: 1, groups: 4 },
    { norm: 'batch', upsampling: 'transposed', outputs: 1, batchStatistics: 'training' },
  ])(
    '$norm norm, $upsampling up-sampling, $outputs outputs',
    async (overrides) => {
      const spec = specOf(overrides);
      await prepare(spec, 'module');
      const { file, weights } = exportModel(spec, 'module');
      const preamble = `
sys.path.insert(0, sys.argv[1])
from genesis_unet3d import load
model, facts = load(sys.argv[2])
assert facts is None`;
      const theirs = pythonAnswer(python, preamble, [folder, file]);
      expectEqualAnswers(theirs, ourAnswer(spec, weights), Object.values(overrides).join(' '));
    },
    120_000,
  );
});
