import { openRuntime } from './open-runtime.js';
import { FLOAT } from './attributes.js';
import { operationFailed } from './tensor.js';
import { Variable } from './variable.js';

const runtime = openRuntime({ threads: 2 });

describe('a tensor handle', () => {
  it('lives until its last owner frees it, and says so when it is used later', () => {
    const before = runtime.liveTensors();
    const tensor = runtime.tensor(Float32Array.of(1, 2), [2]);
    expect(tensor.keep()).toBe(tensor);
    tensor.free();
    expect(Array.from(runtime.read(tensor))).toEqual([1, 2]);
    tensor.free();
    expect(runtime.liveTensors()).toBe(before);
    expect(() => tensor.id).toThrow(/after it was freed/);
    expect(() => tensor.free()).toThrow(/freed once/);
    expect(() => tensor.keep()).toThrow(/cannot be kept/);
  });

  it('turns TensorFlow’s words into errors of ours', () => {
    const pair = runtime.tensor(Float32Array.of(1, 2), [2]);
    const triple = runtime.tensor(Float32Array.of(1, 2, 3), [3]);
    expect(() => runtime.runOne('AddV2', FLOAT, [pair, triple])).toThrow(/TensorFlow refused AddV2/);
    pair.free();
    triple.free();
    expect(operationFailed('Conv3D', new Error('OOM when allocating tensor with shape[1]')).code).toBe('OUT_OF_MEMORY');
    expect(operationFailed('Conv3D', new Error('a BOOM')).code).toBe('OPERATION_FAILED');
  });
});

describe('a variable', () => {
  it('is assigned, viewed, and gone after it is disposed of', () => {
    const before = runtime.liveTensors();
    const [first, second] = [new Variable(runtime, [2]), new Variable(runtime, [2])];
    first.assign(Float32Array.of(1, 2));
    second.assign(Float32Array.of(3, 4));
    expect(Array.from(first.read())).toEqual([1, 2]);
    expect(Array.from(second.read())).toEqual([3, 4]);
    first.dispose();
    second.dispose();
    expect(runtime.liveTensors()).toBe(before);
  });
});

describe('the runtime', () => {
  it('is opened once, with the private kernels of this library where they pass their test', () => {
    expect(openRuntime()).toBe(runtime);
    if (process.arch === 'x64' && !runtime.binding.isUsingGpuDevice()) {
      expect(runtime.native).toMatchObject({ maxPooling: true, normaliseRectify: true });
    }
  });
});
