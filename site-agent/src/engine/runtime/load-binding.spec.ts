import { loadBinding } from './load-binding.js';
import { locateRuntime } from './locate-runtime.js';
import { measureConvolution } from './measure-convolution.js';
import { readRuntimeFacts } from './runtime-facts.js';
import { ATTRIBUTE_TYPE, DATA_TYPE } from './tensorflow-binding.js';

describe('the TensorFlow binding', () => {
  const runtime = locateRuntime();
  const binding = loadBinding(runtime);

  it('is the pinned release and is loaded once', () => {
    expect(binding.TF_Version).toBe('2.21.0');
    expect(loadBinding(runtime)).toBe(binding);
  });

  it('computes, reports shapes and types, and forgets what is deleted', () => {
    const before = binding.getNumOfTensors();
    const left = binding.createTensor([2, 2], DATA_TYPE.float32, Float32Array.of(1, 2, 3, 4));
    const right = binding.createTensor([2, 2], DATA_TYPE.float32, Float32Array.of(1, 0, 1, 1));
    const [product] = binding.executeOp(
      'MatMul',
      [{ name: 'T', type: ATTRIBUTE_TYPE.type, value: DATA_TYPE.float32 }],
      [left, right],
      1,
    );
    expect(product).toMatchObject({ shape: [2, 2], dtype: DATA_TYPE.float32 });
    expect(Array.from(binding.tensorDataSync(product?.id ?? -1) as Float32Array)).toEqual([3, 2, 7, 4]);
    for (const id of [left, right, product?.id ?? -1]) binding.deleteTensor(id);
    expect(binding.getNumOfTensors()).toBe(before);
  });

  it('reports a refused operation in words', () => {
    expect(() => binding.executeOp('NoSuchOperation', [], [], 1)).toThrow(/NoSuchOperation/);
  });

  it('measures a convolution without leaking a tensor', () => {
    const before = binding.getNumOfTensors();
    const speed = measureConvolution(binding, 1);
    expect(speed.gflops).toBeGreaterThan(0.1);
    expect(speed.gflops * speed.seconds).toBeCloseTo(1.812, 2);
    expect(binding.getNumOfTensors()).toBe(before);
  });

  it('tells the facts of this computer', () => {
    const facts = readRuntimeFacts(runtime);
    expect(facts).toMatchObject({ library: 'TensorFlow', version: '2.21.0', oneDnn: process.arch === 'x64' });
    expect(facts.gpu.used || facts.gpu.obstacles.length > 0).toBe(true);
    expect(facts.cores).toBeGreaterThan(0);
  });
});
