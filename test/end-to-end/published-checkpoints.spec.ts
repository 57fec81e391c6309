import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { manifestOf, type ModelSpec, modelSpecSchema, statisticNames } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { openRuntime } from '../../site-agent/src/engine/open-runtime.js';
import { ParameterSet } from '../../site-agent/src/engine/parameters.js';
import { Tape } from '../../site-agent/src/engine/tape.js';
import { readModelFile, writeModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import { buildNetwork } from '../../site-agent/src/networks/build-network.js';
import { madeWeights } from '../fixtures/made-network-values.js';
import { describeWithOracle, PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
const SCRIPT = join(PROJECT_ROOT, 'test/fixtures/pytorch-checkpoints/checkpoints.py');
/** Examples, x, y, z. */
const INPUT = [2, 16, 24, 16] as const;

interface Case {
  readonly name: string;
  readonly spec: Record<string, unknown>;
  readonly ours: ModelSpec;
}

const made = (name: string, spec: Record<string, unknown>, more: Record<string, unknown> = {}): Case => ({
  name,
  spec,
  ours: modelSpecSchema.parse({ norm: 'batch', ...spec, ...more }),
});

const CASES: readonly Case[] = [
  made('Models Genesis', { architecture: 'genesis-unet3d', width: 4 }),
  made('MedicalNet ResNet-10', { architecture: 'medicalnet-resnet', depth: 10, width: 8 }, { shortcut: 'B' }),
  made('MedicalNet ResNet-18', { architecture: 'medicalnet-resnet', depth: 18, width: 8, head: 'none' }, { shortcut: 'A' }),
  made('MedicalNet ResNet-50', { architecture: 'medicalnet-resnet', depth: 50, width: 4, outputs: 3 }, { shortcut: 'B' }),
];

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'consilium-published-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

function siteAgent(...args: string[]): string {
  return execFileSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
}

function inputValues(): Float32Array {
  const random = new Random('published');
  return Float32Array.from({ length: INPUT.reduce((product, side) => product * side, 1) }, () => random.uniform24());
}

function writeInput(): string {
  const path = join(folder, 'input.bin');
  writeFileSync(path, Buffer.concat([Buffer.from(Int32Array.from(INPUT).buffer), Buffer.from(inputValues().buffer)]));
  return path;
}

/** Channels last, before the sigmoid, as the engine predicts: Models Genesis by the batch at hand, MedicalNet by running statistics. */
function ourAnswer(spec: ModelSpec, weights: WeightSet): Float32Array {
  const runtime = openRuntime({ threads: 1 });
  const network = buildNetwork(spec);
  const parameters = new ParameterSet(runtime, manifestOf(spec), network.idleParameters, statisticNames(spec));
  parameters.load(weights);
  const tape = new Tape(runtime, false);
  const answer = network.forward(tape, parameters, tape.input(runtime.tensor(inputValues(), [...INPUT, 1])));
  const values = runtime.read(answer.tensor);
  answer.tensor.free();
  parameters.dispose();
  return values;
}

function readFloats(path: string): Float32Array {
  const bytes = readFileSync(path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Largest difference in units of the answers' own spread, which must not be nothing. */
function expectSameAnswers(theirs: Float32Array, ours: Float32Array, what: string): void {
  expect(ours).toHaveLength(theirs.length);
  const spread = Math.max(...theirs) - Math.min(...theirs);
  expect(spread).toBeGreaterThan(0.05);
  const difference = theirs.reduce((most, value, index) => Math.max(most, Math.abs(value - (ours[index] as number))), 0);
  process.stderr.write(`${what}: largest difference ${difference.toExponential(1)} of ${spread.toPrecision(3)}\n`);
  expect(difference / Math.max(1, spread)).toBeLessThan(1e-4);
}

describeWithOracle('public checkpoints', (python) => {
  const runScript = (...args: string[]): void => {
    const { status, stderr } = spawnSync(python, [SCRIPT, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
  };

  it.each(CASES.flatMap((entry) => ['zip', 'legacy'].map((form) => ({ ...entry, form }))))(
    '$name as PyTorch writes it ($form): imported, ours answers the same',
    async ({ name, spec, ours, form }) => {
      const [file, output, model] = [join(folder, 'theirs.pt'), join(folder, 'theirs.f32'), join(folder, 'imported.safetensors')];
      runScript('write', JSON.stringify(spec), form, file, writeInput(), output);
      const report = JSON.parse(siteAgent('import', file, '--output', model, '--json')) as Record<string, unknown>;
      expect(report).toMatchObject({ format: form, spec: ours, leftBehind: [] });
      expect(siteAgent('model', 'verify', model)).toMatch(/agree/);
      const imported = await readModelFile(model);
      expectSameAnswers(readFloats(output), ourAnswer(imported.spec, imported.weights), `${name}, imported from ${form}`);
    },
    120_000,
  );

  it.each(CASES)(
    '$name as we write it: the published module loads it strictly and answers the same',
    async ({ name, spec, ours }) => {
      const [source, file, output] = [join(folder, 'ours.safetensors'), join(folder, 'ours.pt'), join(folder, 'loaded.f32')];
      const weights = madeWeights(ours, 5);
      await writeModelFile(source, { spec: ours, weights });
      siteAgent('export', '--model', source, '--format', 'pytorch', '--published', '--output', file);
      runScript('load', JSON.stringify(spec), file, writeInput(), output);
      expectSameAnswers(readFloats(output), ourAnswer(ours, weights), `${name}, exported`);
    },
    120_000,
  );
});
