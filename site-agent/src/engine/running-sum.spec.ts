import { openRuntime } from './open-runtime.js';
import { RunningSum } from './running-sum.js';
import { Runtime } from './runtime/runtime.js';
import { ShapeBinding } from './shapes/shape-binding.js';

const runtime = openRuntime({ threads: 2 });

describe('a running sum', () => {
  it.each([1, 2, 3])('of %d summands is theirs, and leaves nothing behind', (count) => {
    const before = runtime.liveTensors() - runtime.constantCount;
    const sum = new RunningSum(runtime);
    for (let i = 1; i <= count; i++) sum.add(runtime.tensor(Float32Array.of(i, -i, 0.5), [3]));
    const result = sum.take();
    const total = (count * (count + 1)) / 2;
    expect([...runtime.read(result)]).toEqual([total, -total, count / 2]);
    result.free();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });

  it('takes the memory of two summands, however many there are', () => {
    const shapes = new ShapeBinding();
    const without = new Runtime(shapes);
    const sum = new RunningSum(without);
    for (let i = 0; i < 5; i++) sum.add(without.tensor(new Float32Array(1000), [1000]));
    sum.take().free();
    expect(shapes.peakBytes).toBe(2 * 4000);
    expect(shapes.liveBytes).toBe(0);
  });
});
