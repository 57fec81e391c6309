import type { Activation } from '../activation.js';
import { byType, elementType, flag } from '../attributes.js';
import { castTensor } from '../cast-tensor.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tape } from '../tape.js';
import { poolingGeometry, type PoolingWindow } from './pooling-window.js';
import { reshapeAndFree } from './reshape.js';
import { scaleAndFree } from './scale-tensor.js';

const OVER_AXES = [elementType('T'), elementType('Tidx', DATA_TYPE.int32), flag('keep_dims', false)];
const BROADCAST = byType((type) => [elementType('T', type), elementType('Tidx', DATA_TYPE.int32)]);

/** Mean over windows of voxels, without padding; 2³ voxels with stride 2 by default. */
export function averagePool(tape: Tape, input: Activation, window: PoolingWindow = {}): Activation {
  const { runtime } = tape;
  const { shape } = input;
  const attributes = poolingGeometry(shape, window).attributes(input.dataType);
  const output = runtime.runOne('AvgPool3D', attributes, [input.tensor]);
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) {
      input.addGradient(runtime.runOne('AvgPool3DGrad', attributes, [runtime.integers(shape), gradient]));
    }
    gradient.free();
  });
}

/** [examples, x, y, z, channels] → [examples, channels]: the mean over all voxels, summed in 32 bits. */
export function globalAveragePool(tape: Tape, input: Activation): Activation {
  const { runtime } = tape;
  const { shape, dataType } = input;
  const [examples, x, y, z, channels] = shape as [number, number, number, number, number];
  const exact = castTensor(runtime, input.tensor, DATA_TYPE.float32); // TensorFlow would sum bfloat16 in bfloat16
  input.tensor.free();
  const mean = runtime.runOne('Mean', OVER_AXES, [exact, runtime.integers([1, 2, 3])]);
  exact.free();
  const output = castTensor(runtime, mean, dataType);
  mean.free();
  return tape.push(output, [], (gradient) => {
    if (input.wantsGradient) {
      const share = scaleAndFree(runtime, castTensor(runtime, gradient, DATA_TYPE.float32), 1 / (x * y * z));
      const rounded = castTensor(runtime, share, dataType);
      share.free();
      const voxel = reshapeAndFree(runtime, rounded, [examples, 1, 1, 1, channels]);
      input.addGradient(runtime.runOne('BroadcastTo', BROADCAST(voxel), [voxel, runtime.integers(shape)]));
      voxel.free();
    }
    gradient.free();
  });
}
