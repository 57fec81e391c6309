/**
 * The conformance table of the specification (seeds, section F), row by row: what a port of Models Genesis (Zhou et al., MedIA 2021)
 * and MedicalNet (Chen et al., arXiv 1904.00625) must reproduce whatever else it does. Random numbers are its own, so that
 * distributions are compared. Each room's own specs go deeper; this file says at one glance that the table holds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import {
  genesisClassifierSpecSchema,
  initialWeights,
  manifestOf,
  modelSpecSchema,
  parametersOf,
  trainedParameterCount,
  unet3dEncoder,
} from '@consilium/shared/models';
import { elementCount } from '@consilium/shared/weights';
import { genesisTransformsSchema } from '@consilium/shared/wire';
import { openRuntime } from '../../site-agent/src/engine/open-runtime.js';
import { ParameterSet } from '../../site-agent/src/engine/parameters.js';
import { Tape } from '../../site-agent/src/engine/tape.js';
import { countLegacy, legacyGenesisIou } from '../../site-agent/src/evaluation/metrics/legacy-genesis-iou.js';
import { countOverlap, foregroundIou } from '../../site-agent/src/evaluation/metrics/overlap.js';
import { buildNetwork } from '../../site-agent/src/networks/build-network.js';
import { encode } from '../../site-agent/src/networks/genesis-encoder.js';
import { normaliseIntensity } from '../../site-agent/src/preprocessing/intensity.js';
import { rateFactorAt } from '../../site-agent/src/training/schedules/rate-factor.js';
import { drawGenesis } from '../../site-agent/src/transforms/compose.js';
import { flip } from '../../site-agent/src/transforms/flip.js';
import { inPaint } from '../../site-agent/src/transforms/in-paint.js';
import { shuffleInto } from '../../site-agent/src/transforms/local-shuffle.js';
import { intensityTable, nonlinearIntensity } from '../../site-agent/src/transforms/nonlinear-intensity.js';
import { outPaint } from '../../site-agent/src/transforms/out-paint.js';
import { coveredShare } from '../fixtures/covered-share.js';
import { makeRamp, meanOver } from '../fixtures/make-patch.js';
import { maskOfRuns, readMetricGoldens } from '../fixtures/read-metric-goldens.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const CUBE = [64, 64, 32] as const;
const PUBLISHED = genesisTransformsSchema.parse({});

const genesis = (fields: object = {}) =>
  modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 32, norm: 'batch', ...fields });
const medicalnet = (depth: number) => modelSpecSchema.parse({ architecture: 'medicalnet-resnet', depth, head: 'none' });

/** What the encoder gives for one cube, computed: examples, x, y, z, channels (16 times the width). */
function shapeOfBottleneck(width: number): readonly number[] {
  const spec = genesisClassifierSpecSchema.parse({ architecture: 'genesis-classifier', width, norm: 'batch' });
  const runtime = openRuntime({ threads: 1 });
  const parameters = new ParameterSet(runtime, manifestOf(spec), new Set(), new Set());
  parameters.load(initialWeights(spec, 1));
  const tape = new Tape(runtime, false);
  const input = tape.input(runtime.tensor(new Float32Array(64 * 64 * 32), [1, ...CUBE, 1]));
  const features = encode({ tape, parameters, norm: { choice: spec, running: false } }, unet3dEncoder(spec), input);
  const { shape } = features;
  features.tensor.free();
  parameters.dispose();
  return shape;
}

/** Mean over drawings, each with a stream of its own. */
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;

describe('F: parameters of the Models Genesis U-Net', () => {
  it.each([
    ['transposed', 19_073_665],
    ['nearest', 16_320_257],
  ])('%s up-sampling: %i', (upsampling, count) => expect(trainedParameterCount(genesis({ upsampling }))).toBe(count));

  it('encoder: 7,027,776', () => {
    const encoder = parametersOf(genesis()).filter(({ name }) => name.startsWith('e'));
    expect(encoder.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(7_027_776);
  });
});

describe('F: parameters of the MedicalNet encoders with the shortcuts of the released weights', () => {
  it.each([
    [10, 'B', 14_355_520],
    [18, 'A', 32_986_176],
    [34, 'A', 63_295_808],
    [50, 'B', 46_155_072],
  ])('ResNet-%i, shortcut %s: %i', (depth, shortcut, count) => {
    expect(trainedParameterCount(medicalnet(depth))).toBe(count);
    const isConvolved = parametersOf(medicalnet(depth)).some(({ name }) => name.includes('downsample'));
    expect(isConvolved).toBe(shortcut === 'B');
  });
});

describe('F: shapes of the deepest features', () => {
  it('Models Genesis: 512 at 8 × 8 × 4 for a cube of 64 × 64 × 32', () => {
    const deepest = parametersOf(genesis()).find(({ name }) => name === 'e4.3.weight');
    expect(deepest?.shape).toEqual([512, 256, 3, 3, 3]);
    expect(shapeOfBottleneck(1)).toEqual([1, 8, 8, 4, 16]);
  });

  it.each([
    [10, 512],
    [18, 512],
    [34, 512],
    [50, 2048],
  ])('MedicalNet ResNet-%i: %i at 7 × 56 × 56 for a volume of 56 × 448 × 448', (depth, channels) => {
    const network = buildNetwork(medicalnet(depth));
    expect([network.outputs, ...(network.outputSides([56, 448, 448]) ?? [])]).toEqual([channels, 7, 56, 56]);
  });
});

describe('F: intensities', () => {
  it('−150 HU is 0.425 after scaling', () => {
    expect(normaliseIntensity({ voxels: Float32Array.of(-150) }, 'CT')[0]).toBeCloseTo(0.425, 6);
  });

  it('Bézier map: rises from (0, 0) to (1, 1) without falling, or is inverted from (0, 1) to (1, 0)', () => {
    const seen = new Set<boolean>();
    for (let seed = 0; seed < 500; seed++) {
      const curve = nonlinearIntensity.draw({ probability: 1 }, CUBE, new Random(`curve/${seed}`));
      if (curve === undefined) throw new Error('drawn with probability 1');
      const table = intensityTable(curve);
      seen.add(curve.falling);
      expect([table[0], table.at(-1)].map((value) => Math.round(1e9 * (value ?? NaN)) / 1e9)).toEqual(
        curve.falling ? [1, 0] : [0, 1],
      );
      if (curve.falling) continue;
      const drop = table.reduce((most, value, cell) => Math.max(most, (table[cell - 1] ?? value) - value), 0);
      expect(drop).toBe(0);
    }
    expect(seen).toEqual(new Set([true, false]));
  });
});

describe('F: shares of a patch and rates of its distortions', () => {
  it('local shuffling, 10,000 blocks: touches 0.82 ± 0.01', () => {
    const patch = makeRamp(CUBE);
    const target = new Float32Array(patch.voxels.length);
    const touched = Array.from({ length: 20 }, (_, index) =>
      shuffleInto(target, { blocks: 10_000, seed: `touched/${index}` }, patch),
    );
    expect(Math.abs(mean(touched) / target.length - 0.82)).toBeLessThan(0.01);
  });

  it('in-painting: masks 0.056, in at most five windows, in 5 % of the cases nothing', () => {
    const drawings = Array.from(
      { length: 4000 },
      (_, index) => inPaint.draw({ fill: 'noise' }, CUBE, new Random(`in/${index}`)).windows,
    );
    expect(Math.abs(mean(drawings.map((windows) => coveredShare(windows, CUBE))) - 0.056)).toBeLessThan(0.002);
    expect(Math.max(...drawings.map(({ length }) => length))).toBe(5);
    expect(Math.abs(mean(drawings.map(({ length }) => Number(length === 0))) - 0.05)).toBeLessThan(0.012);
  });

  it('out-painting: keeps 0.31, always between 0.083 and 0.67', () => {
    const kept = Array.from({ length: 2000 }, (_, index) =>
      coveredShare(outPaint.draw({ fill: 'noise' }, CUBE, new Random(`out/${index}`)).windows, CUBE),
    );
    expect(Math.abs(mean(kept) - 0.31)).toBeLessThan(0.01);
    expect(Math.min(...kept)).toBeGreaterThan(0.083);
    expect(Math.max(...kept)).toBeLessThan(0.67);
    // 200 drawings of the original spanned 0.09 to 0.44: ours reach as far on either side.
    expect(Math.min(...kept)).toBeLessThan(0.11);
    expect(Math.max(...kept)).toBeGreaterThan(0.42);
  });

  it('flips: x and y in 0.153 of the patches each, z never', () => {
    const { flipProbability: probability, flipAxes: axes } = PUBLISHED;
    const rate = (axis: 'x' | 'y' | 'z'): number =>
      meanOver(8000, (random) => Number(flip.draw({ probability, axes }, CUBE, random)[axis]));
    expect(Math.abs(rate('x') - 0.153)).toBeLessThan(0.01);
    expect(Math.abs(rate('y') - 0.153)).toBeLessThan(0.01);
    expect(rate('z')).toBe(0);
  });

  it('untouched by shuffling, mapping and painting: 0.005 of the patches', () => {
    const untouched = meanOver(40_000, (random) => {
      const { shuffle, curve, paint } = drawGenesis(PUBLISHED, CUBE, random);
      return Number(shuffle.blocks === 0 && curve === undefined && paint.kind === 'none');
    });
    // 0.5 × 0.1 × 0.1: none of the three families is drawn.
    expect(Math.abs(untouched - 0.005)).toBeLessThan(0.001);
  });
});

describe('F: learning rate', () => {
  it('is 1, 0.5 and 0.25 at the epochs 0, 40 and 80', () => {
    const stepsPerEpoch = 7;
    const schedule = { kind: 'step', factor: 0.5, everySteps: 40 * stepsPerEpoch } as const;
    const rateAt = (epoch: number): number => rateFactorAt(schedule, epoch * stepsPerEpoch, 10_000 * stepsPerEpoch);
    expect([0, 39, 40, 79, 80].map(rateAt)).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });
});

describe('F: the published pretraining collection of Med3D', () => {
  it('3DSeg-8 has 1,638 cases, as the guide lists them', () => {
    const guide = readFileSync(join(PROJECT_ROOT, 'docs', 'guides', 'med3d.md'), 'utf8');
    const rows = guide.matchAll(/^\| [A-Z][^|]*\| +(\d+) \| (?:CT|MR) /gm);
    const counts = [...rows].map(([, count]) => Number(count));
    expect(counts).toHaveLength(8);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_638);
  });
});

describe('F: metric', () => {
  it('the "IoU" of the Genesis papers exceeds the foreground IoU of the same prediction', () => {
    const { cases } = readMetricGoldens().legacy;
    const masks = cases.map(({ labelled }) => maskOfRuns(labelled));
    const legacy = cases.map(({ probabilities }, index) =>
      countLegacy(Float32Array.from(probabilities), (voxel) => masks[index]?.[voxel] === 1),
    );
    const predicted = Uint8Array.from(
      cases.flatMap(({ probabilities }) => [...probabilities]),
      (value) => Number(value > 0.5),
    );
    const labelled = Uint8Array.from(masks.flatMap((mask) => [...mask]));
    const [counts] = countOverlap(predicted, labelled, 1);
    expect(legacyGenesisIou(legacy)).toBeGreaterThan(foregroundIou(counts ?? { predicted: 0, labelled: 0, both: 0 }));
  });
});
