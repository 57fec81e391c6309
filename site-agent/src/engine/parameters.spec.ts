import type { Manifest } from '@consilium/shared/weights';
import { openRuntime } from './open-runtime.js';
import { ParameterSet } from './parameters.js';

const runtime = openRuntime({ threads: 2 });
const manifest: Manifest = {
  tensors: [
    { name: 'norm.weight', shape: [2], dtype: 'F32', scope: 'federated' },
    { name: 'norm.running_mean', shape: [2], dtype: 'F32', scope: 'federated' },
    { name: 'conv.bias', shape: [2], dtype: 'F32', scope: 'federated' },
  ],
};

describe('a parameter set with a statistic and an idle parameter', () => {
  const before = runtime.liveTensors() - runtime.constantCount;
  const set = new ParameterSet(runtime, manifest, new Set(['conv.bias']), new Set(['norm.running_mean']));
  const weights = [
    { name: 'norm.running_mean', shape: [2], values: Float32Array.of(3, 4) },
    { name: 'conv.bias', shape: [2], values: Float32Array.of(5, 6) },
    { name: 'norm.weight', shape: [2], values: Float32Array.of(1, 2) },
  ];
  afterAll(() => {
    set.dispose();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });

  it('loads and reads all of them, and gives the optimizer only what is trained', () => {
    set.load(weights);
    expect(set.read().map(({ name, values }) => [name, [...values]])).toEqual([
      ['norm.weight', [1, 2]],
      ['norm.running_mean', [3, 4]],
      ['conv.bias', [5, 6]],
    ]);
    expect(set.all().map(({ name }) => name)).toEqual(['norm.weight']);
  });

  it('reads a statistic that a layer moved, and leaves the loaded weights alone', () => {
    set.load(weights);
    set.statistic('norm.running_mean').set(runtime.tensor(Float32Array.of(7, 8), [2]));
    expect(set.read()[1]?.values).toEqual(Float32Array.of(7, 8));
    expect(weights[0]?.values).toEqual(Float32Array.of(3, 4));
  });

  it('has gradients of zero for all that is not trained', () => {
    set.get('norm.weight').addGradient(runtime.tensor(Float32Array.of(0.5, -1), [2]));
    expect(set.takeGradients().map(({ values }) => [...values])).toEqual([
      [0.5, -1],
      [0, 0],
      [0, 0],
    ]);
  });

  it('knows each by its kind alone', () => {
    expect(() => set.get('norm.running_mean')).toThrow('trained parameter');
    expect(() => set.statistic('norm.weight')).toThrow('statistic');
  });
});
