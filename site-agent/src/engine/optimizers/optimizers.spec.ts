import { jest } from '@jest/globals';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import { openRuntime } from '../open-runtime.js';
import { Parameter } from '../parameters.js';
import { Runtime } from '../runtime/runtime.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { clipFactor, globalNorm } from './clip-gradients.js';
import { createOptimizer } from './create-optimizer.js';
import type { Optimizer, OptimizerSettings } from './optimizer.js';

const runtime = openRuntime({ threads: 2 });
const SHAPES: Readonly<Record<string, readonly number[]>> = {
  'e1.0.weight': [3, 2, 2, 1, 2],
  'e1.1.weight': [3],
  'out.weight': [2, 5],
  'out.bias': [2],
};
const MOMENTS = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
const EVERYTHING = { weightDecay: 0.1, decayVectors: false, clipNorm: 2, averageDecay: 0.9 } as const;
const SGD: OptimizerSettings = { kind: 'sgd', momentum: 0.9 };

const alive = (): number => runtime.liveTensors() - runtime.constantCount;

/** Parameters with fixed values; gradients differ by step and parameter. */
class Bench {
  readonly parameters: readonly Parameter[];

  constructor(private readonly on: Runtime = runtime) {
    this.parameters = Object.entries(SHAPES).map(([name, shape], index) => {
      const parameter = new Parameter(on, name, shape);
      parameter.load(wave(elementCount(shape), index));
      return parameter;
    });
  }

  leaveGradients(step: number, factor = 1): void {
    this.parameters.forEach((parameter, index) => {
      const values = wave(elementCount(parameter.shape), 10 + step * 4 + index).map((value) => factor * value);
      parameter.addGradient(this.on.tensor(values, parameter.variable.shape));
    });
  }

  train(optimizer: Optimizer, from: number, to: number): void {
    for (let step = from; step < to; step++) {
      this.leaveGradients(step);
      optimizer.apply(this.parameters, 0.05 / (1 + step));
    }
  }

  read(): WeightSet {
    return this.parameters.map((parameter) => ({ name: parameter.name, shape: parameter.shape, values: parameter.read() }));
  }

  load(weights: WeightSet): void {
    this.parameters.forEach((parameter, index) => parameter.load(Float32Array.from(weights[index]?.values ?? [])));
  }

  dispose(): void {
    for (const parameter of this.parameters) parameter.dispose();
  }
}

function wave(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin(1 + i * 1.7 + seed * 0.9));
}

function withOptimizer<T>(settings: OptimizerSettings, use: (bench: Bench, optimizer: Optimizer) => T): T {
  const bench = new Bench();
  const optimizer = createOptimizer(runtime, bench.parameters, settings);
  try {
    return use(bench, optimizer);
  } finally {
    optimizer.dispose();
    bench.dispose();
  }
}

function valuesOf(weights: WeightSet | undefined, name: string): number[] | undefined {
  const tensor = weights?.find((candidate) => candidate.name === name);
  return tensor && [...tensor.values];
}

const SETTINGS: OptimizerSettings[] = [
  { kind: 'sgd', momentum: 0, ...EVERYTHING },
  { kind: 'sgd', momentum: 0.9, nesterov: true, ...EVERYTHING },
  { kind: 'adam', ...MOMENTS, ...EVERYTHING },
  {
    kind: 'adamw',
    ...MOMENTS,
    ...EVERYTHING,
    groups: [
      { match: '*.bias', frozen: true },
      { match: 'e1', rateFactor: 3 },
    ],
  },
  { kind: 'lamb', ...MOMENTS, ...EVERYTHING },
];

describe.each(SETTINGS)('$kind with everything', (settings) => {
  it('goes on with the same bits from a state that was saved at any step', () => {
    const results = (bench: Bench, optimizer: Optimizer): WeightSet[] => [
      bench.read(),
      optimizer.readState(),
      optimizer.readAverage() ?? [],
    ];
    const straight = withOptimizer(settings, (bench, optimizer) => {
      bench.train(optimizer, 0, 6);
      return results(bench, optimizer);
    });
    for (const saveAt of [0, 1, 2, 5]) {
      const saved = withOptimizer(settings, (bench, optimizer) => {
        bench.train(optimizer, 0, saveAt);
        return { weights: bench.read(), state: optimizer.readState() };
      });
      const resumed = withOptimizer(settings, (bench, optimizer) => {
        bench.load(saved.weights);
        optimizer.loadState(saved.state);
        bench.train(optimizer, saveAt, 6);
        return results(bench, optimizer);
      });
      expect(resumed).toEqual(straight);
    }
  });

  it('keeps no tensor over 20 steps, and none after its end', () => {
    const before = alive();
    withOptimizer(settings, (bench, optimizer) => {
      bench.train(optimizer, 0, 1);
      const during = alive();
      bench.train(optimizer, 1, 20);
      expect(alive()).toBe(during);
      expect(
        bench
          .read()
          .flatMap(({ values }) => [...values])
          .every(Number.isFinite),
      ).toBe(true);
    });
    expect(alive()).toBe(before);
  });
});

describe('a forecast', () => {
  it.each(SETTINGS)('of $kind with everything needs no TensorFlow', (settings) => {
    const shapes = new ShapeBinding();
    const bench = new Bench(new Runtime(shapes));
    const optimizer = createOptimizer(new Runtime(shapes), bench.parameters, settings);
    bench.train(optimizer, 0, 2); // after the first, the averages lie in the memory of the weights
    const steadyBytes = shapes.liveBytes;
    bench.train(optimizer, 2, 4);
    expect(shapes.liveBytes).toBe(steadyBytes);
    expect(optimizer.steps).toBe(4);
    expect([...shapes.operations.keys()].some((name) => name.startsWith('ResourceApply'))).toBe(true);
  });
});

describe('the state', () => {
  it('names its parts after slots and parameters, and keeps nothing that is not needed', () => {
    const names = (settings: OptimizerSettings): string[] =>
      withOptimizer(settings, (_, optimizer) => optimizer.readState().map(({ name }) => name));
    const each = (slot: string): string[] => Object.keys(SHAPES).map((name) => `${slot}.${name}`);
    expect(names({ kind: 'sgd', momentum: 0 })).toEqual(['step']);
    expect(names(SGD)).toEqual([...each('velocity'), 'step']);
    const adam = { kind: 'adam', ...MOMENTS, averageDecay: 0.9 } as const;
    expect(names(adam)).toEqual([...each('first'), ...each('second'), ...each('average'), 'step']);
    const onlyOutput = [{ match: 'out.' }, { match: '*', frozen: true }];
    expect(names({ ...SGD, groups: onlyOutput })).toEqual(['velocity.out.weight', 'velocity.out.bias', 'step']);
  });

  it('of another optimizer is refused', () => {
    const state = withOptimizer(SGD, (_, optimizer) => optimizer.readState());
    withOptimizer({ kind: 'adam', ...MOMENTS }, (_, optimizer) => {
      expect(() => optimizer.loadState(state)).toThrow(expect.objectContaining({ code: 'MANIFEST_MISMATCH' }) as Error);
    });
  });
});

describe('parameter groups', () => {
  it('leave frozen parameters and their averages alone, and drop their gradients', () => {
    const groups = [{ match: 'e1.', frozen: true }];
    withOptimizer({ ...SGD, averageDecay: 0.5, weightDecay: 0.1, groups }, (bench, optimizer) => {
      const before = bench.read();
      bench.train(optimizer, 0, 3);
      const after = bench.read();
      expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
      expect(after.at(2)).not.toEqual(before.at(2));
      expect(optimizer.readAverage()?.map(({ name }) => name)).toEqual(['out.weight', 'out.bias']);
      expect(() => bench.parameters[0]?.takeGradient()).toThrow(/has a gradient/);
    });
  });

  it('count frozen gradients for no clipping', () => {
    const groups = [{ match: 'e1.', frozen: true }];
    const step = (settings: OptimizerSettings, factor: number): WeightSet =>
      withOptimizer(settings, (bench, optimizer) => {
        bench.leaveGradients(0);
        bench.parameters.slice(0, 2).forEach((parameter) => {
          const huge = wave(elementCount(parameter.shape), 1).map((value) => factor * value);
          parameter.addGradient(runtime.tensor(huge, parameter.variable.shape));
        });
        optimizer.apply(bench.parameters, 0.1);
        return bench.read().slice(2);
      });
    expect(step({ ...SGD, groups, clipNorm: 0.5 }, 1e6)).toEqual(step({ ...SGD, groups, clipNorm: 0.5 }, 0));
  });

  it('are refused when they leave nothing to train', () => {
    const before = alive();
    const bench = new Bench();
    const groups = [{ match: 'nothing.' }, { match: '*', frozen: true }];
    expect(() => createOptimizer(runtime, bench.parameters, { ...SGD, groups })).toThrow('nothing would be trained');
    bench.dispose();
    expect(alive()).toBe(before);
  });
});

describe('clipping', () => {
  it('measures the norm of all gradients and takes none', () => {
    const bench = new Bench();
    bench.leaveGradients(0);
    const gradients = bench.parameters.map((parameter) => {
      const gradient = parameter.takeGradient();
      const values = runtime.read(gradient);
      parameter.addGradient(gradient);
      return values;
    });
    const exact = Math.hypot(...gradients.flatMap((values) => [...values]));
    expect(globalNorm(runtime, bench.parameters) / exact).toBeCloseTo(1, 6);
    expect(clipFactor(runtime, bench.parameters, 2)).toBeCloseTo(2 / (exact + 1e-6), 6);
    expect(clipFactor(runtime, bench.parameters, 2 * exact)).toBe(1);
    bench.dispose();
  });

  it('leaves no bit changed where the norm is short enough', () => {
    const train = (settings: OptimizerSettings): WeightSet =>
      withOptimizer(settings, (bench, optimizer) => {
        bench.train(optimizer, 0, 3);
        return bench.read();
      });
    expect(train({ ...SGD, clipNorm: 1e6 })).toEqual(train(SGD));
    expect(train({ ...SGD, clipNorm: 1 })).not.toEqual(train(SGD));
  });

  it('does not hide a gradient that is not a number', () => {
    withOptimizer({ ...SGD, clipNorm: 1 }, (bench, optimizer) => {
      bench.leaveGradients(0, NaN);
      optimizer.apply(bench.parameters, 0.1);
      expect(bench.parameters[0]?.read().every(Number.isNaN)).toBe(true);
    });
  });
});

describe('the average of the weights', () => {
  it('is absent before the first update, equals the weights after it, and then follows them', () => {
    withOptimizer({ ...SGD, averageDecay: 0.75 }, (bench, optimizer) => {
      expect(optimizer.readAverage()).toBeUndefined();
      bench.train(optimizer, 0, 1);
      const first = bench.read();
      expect(optimizer.readAverage()).toEqual(first);
      bench.train(optimizer, 1, 2);
      for (const { name, values } of bench.read()) {
        const average = valuesOf(optimizer.readAverage(), name) ?? [];
        const before = valuesOf(first, name) ?? [];
        values.forEach((value, i) => expect(average[i]).toBeCloseTo(0.75 * (before[i] as number) + 0.25 * value, 6));
      }
    });
    withOptimizer(SGD, (bench, optimizer) => {
      bench.train(optimizer, 0, 1);
      expect(optimizer.readAverage()).toBeUndefined();
    });
  });
});

describe('LAMB', () => {
  it('moves a weight by the rate times its own norm, and one that is zero by the step itself', () => {
    withOptimizer({ kind: 'lamb', ...MOMENTS, weightDecay: 0 }, (bench, optimizer) => {
      bench.parameters[3]?.load(new Float32Array(2));
      const before = bench.read();
      bench.train(optimizer, 0, 1);
      const moved = bench.read().map(({ values }, i) => Math.hypot(...values.map((v, k) => v - (before[i]?.values[k] ?? 0))));
      const norms = before.map(({ values }) => Math.hypot(...values));
      for (const i of [0, 1, 2]) expect((moved[i] as number) / (norms[i] as number)).toBeCloseTo(0.05, 5);
      expect(moved[3]).toBeCloseTo(0.05 * Math.SQRT2, 5); // Adam's first step is 1 in each value
    });
  });
});

describe('a step that fails', () => {
  it('drops all gradients and keeps no tensor', () => {
    withOptimizer({ kind: 'adam', ...MOMENTS, ...EVERYTHING }, (bench, optimizer) => {
      const before = alive();
      bench.leaveGradients(0);
      const spy = jest.spyOn(runtime, 'run').mockImplementation((operation, ...rest) => {
        if (operation === 'ResourceApplyAdam') throw new Error('no memory');
        return Runtime.prototype.run.call(runtime, operation, ...rest);
      });
      expect(() => optimizer.apply(bench.parameters, 0.1)).toThrow('no memory');
      spy.mockRestore();
      expect(alive()).toBe(before);
      expect(() => bench.parameters[1]?.takeGradient()).toThrow(/has a gradient/);
    });
  });
});
