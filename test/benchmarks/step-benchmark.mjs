/**
 * Seconds per training step and peak memory of the engine, beside PyTorch on the same machine in the same run.
 *
 * usage: npm run bench:step -- [--width 8] [--batch 4] [--norm batch|instance] [--optimizer sgd|adam] [--steps 7]
 *   [--repeats 2]
 * All engines take turns, `repeats` times, and the best median of each counts, for other programs only ever slow one down.
 * PyTorch runs when CONSILIUM_ORACLE_PYTHON names a Python with torch and the reference shelf (../shared) is there; its
 * network has batch norm. Prints one JSON object. Build first (npm run build).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const SIZE = [64, 64, 32];
const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const OPTIMIZERS = {
  sgd: { kind: 'sgd', learningRate: 0.1, momentum: 0.9 },
  adam: { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
};

const { values } = parseArgs({
  options: {
    width: { type: 'string', default: '8' },
    batch: { type: 'string', default: '4' },
    norm: { type: 'string' },
    optimizer: { type: 'string', default: 'sgd' },
    steps: { type: 'string', default: '7' },
    repeats: { type: 'string', default: '2' },
    engine: { type: 'boolean', default: false },
    public: { type: 'boolean', default: false },
  },
});
const settings = { ...values, width: Number(values.width), batch: Number(values.batch), steps: Number(values.steps) };

// The parent only starts processes, so that each engine's peak memory is its own.
if (settings.engine) console.log(JSON.stringify(await measureEngine(settings)));
else console.log(JSON.stringify(compare(settings), null, 2));

function compare({ width, batch, norm, optimizer, steps, repeats }) {
  const shared = ['--width', String(width), '--batch', String(batch), '--optimizer', optimizer, '--steps', String(steps)];
  const norms = norm === undefined ? ['batch', 'instance'] : [norm];
  const turns = Array.from({ length: Number(repeats) }, () => ({
    torch: runTorch(shared),
    ...Object.fromEntries(norms.map((each) => [each, runEngine([...shared, '--norm', each])])),
  }));
  const best = (name) => turns.map((turn) => turn[name]).reduce((a, b) => (b.medianSeconds < a.medianSeconds ? b : a));
  const torch = turns[0]?.torch && best('torch');
  const results = norms.map(best);
  return {
    machine: {
      processor: cpus()[0]?.model,
      cores: availableParallelism(),
      node: process.version,
      date: new Date().toISOString(),
    },
    patch: SIZE,
    engine: results,
    torch: torch ?? 'not measured: set CONSILIUM_ORACLE_PYTHON and place the reference shelf beside the checkout',
    ratioToTorch: torch && Object.fromEntries(results.map((r) => [r.norm, round(r.medianSeconds / torch.medianSeconds)])),
  };
}

function runEngine(args) {
  const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--engine', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return JSON.parse(output);
}

function runTorch(args) {
  const python = process.env.CONSILIUM_ORACLE_PYTHON;
  const script = join(ROOT, '../shared/reference/bench_step.py');
  if (python === undefined || !existsSync(script)) return undefined;
  const { status, stdout } = spawnSync(python, [script, ...args, '--layout', 'channels_last'], { encoding: 'utf8' });
  return status === 0 ? JSON.parse(stdout) : undefined;
}

async function measureEngine({ width, batch, norm = 'instance', optimizer, steps, public: publicOnly }) {
  const { openRuntime } = await import('../../site-agent/dist/engine/open-runtime.js');
  const { Runtime } = await import('../../site-agent/dist/engine/runtime/runtime.js');
  const { Learner } = await import('../../site-agent/dist/training/learner.js');
  const { initialWeights, modelSpecSchema } = await import('../../shared/dist/models/index.js');
  const { Random } = await import('../../shared/dist/kernel/index.js');
  const opened = openRuntime();
  const runtime = publicOnly ? new Runtime(opened.binding) : opened;
  const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width, norm });
  const learner = Learner.create({ runtime, spec, optimizer: OPTIMIZERS[optimizer] });
  learner.loadWeights(initialWeights(spec, 1));
  const voxels = batch * SIZE[0] * SIZE[1] * SIZE[2];
  const random = new Random('step-benchmark');
  const fill = () => new Float32Array(voxels).map(() => random.uniform24());
  const work = { patches: batch, sizeVoxels: SIZE, input: fill(), target: fill() };
  const seconds = [];
  const losses = [];
  let processorStart = process.cpuUsage();
  for (let step = 0; step < steps + 2; step++) {
    if (step === 2) processorStart = process.cpuUsage();
    const started = performance.now();
    losses.push(learner.step(work));
    seconds.push((performance.now() - started) / 1000);
  }
  const { user, system } = process.cpuUsage(processorStart);
  const counted = seconds.slice(2).sort((a, b) => a - b);
  const peakRssMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  learner.dispose();
  return {
    ...{ width, batch, norm, optimizer, steps, native: runtime.native },
    medianSeconds: round(counted[Math.floor(counted.length / 2)]),
    minSeconds: round(counted[0]),
    processorSecondsPerStep: round((user + system) / 1e6 / steps),
    peakRssMiB,
    losses: losses.slice(0, 3),
  };
}

function round(value) {
  return Math.round(value * 1e4) / 1e4;
}
