import { build, type Five, get } from '../../../../test/fixtures/checked-layers/dense-arrays.js';
import { type CheckedLayer, checkLayer, comparePrecisions } from '../../../../test/fixtures/gradient-check.js';
import { openRuntime } from '../open-runtime.js';
import { add } from './addition.js';
import { padChannels } from './channel-padding.js';
import { fork } from './fork.js';

const runtime = openRuntime({ threads: 2 });

function padded(shape: Five, added: number): CheckedLayer {
  const [n, x, y, z, c] = shape;
  return {
    inputs: [shape],
    parameters: [],
    run: (tape, [input]) => padChannels(tape, input, added),
    reference: ([input]) => build([n, x, y, z, c + added], (...place) => (place[4] < c ? get(input, place) : 0)),
  };
}

function forked(shape: Five): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [],
    run: (tape, [input]) => {
      const twin = fork(tape, input.keep());
      return add(tape, add(tape, twin, twin.keep()), input);
    },
    reference: ([input]) => build(shape, (...place) => 3 * get(input, place)),
  };
}

const LAYERS: Record<string, CheckedLayer> = {
  'channels of zeros, odd sides': padded([2, 3, 1, 2, 3], 2),
  'channels of zeros, one voxel and channel': padded([1, 1, 1, 1, 1], 4),
  'a fork read twice beside its source': forked([2, 3, 1, 2, 2]),
};

describe('channel padding and forks', () => {
  it.each(Object.keys(LAYERS))('%s: as the reference, in 32 bits and in bfloat16', (name) => {
    const layer = LAYERS[name] as CheckedLayer;
    const [exact, coarse] = [checkLayer(runtime, layer), comparePrecisions(runtime, layer)];
    expect(exact.output).toBeLessThan(1e-5);
    expect(Math.max(...exact.gradients)).toBeLessThan(1e-5);
    expect(coarse.output).toBeLessThan(2 ** -7);
    expect(Math.max(...coarse.gradients)).toBeLessThan(2 ** -6); // two roundings of a sum of three
    expect([exact.leaked, coarse.leaked]).toEqual([0, 0]);
  });
});
