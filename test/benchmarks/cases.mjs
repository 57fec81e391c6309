/** The cases with targets, for two cores of a server processor. */
import { compareInference } from './compare-inference.mjs';
import { compareSteps } from './compare-steps.mjs';
import { measureEngineAlone } from './measure-engine-alone.mjs';
import { measureStart } from './measure-start.mjs';
import { INFERENCE_DEFAULTS, INFERENCE_OPTIONS, readOptions } from './options.mjs';

const STARTS = 5;

export const CASES = [
  stepCase('width 8, batch 4, f32', { width: '8', batch: '4' }, 0.8, 1.0),
  stepCase('width 8, batch 4, bf16', { width: '8', batch: '4', precision: 'bf16' }, 0.85, 1.0),
  stepCase('width 32, batch 2, f32', { width: '32', batch: '2' }, 0.92, 1.0),
  stepCase('width 32, batch 2, bf16', { width: '32', batch: '2', precision: 'bf16' }, 1.0, 1.1),
  stepCase('ResNet-10, 56³, batch 2, f32', { network: 'resnet10' }, 1.0, 1.1),
  stepCase('instance norm, width 8, f32', { width: '8', batch: '4', norm: 'instance' }, 1.0, 1.1, [
    { measured: 'step time to batch norm', value: (result) => result.stepRatioToBatchNorm, most: 1.0 },
    { measured: 'peak RSS to batch norm', value: (result) => result.rssRatioToBatchNorm, most: 1.1 },
  ]),
  {
    name: 'inference, width 32, 256×256×128',
    work: ({ steps: _, ...given }) => compareInference(readOptions(toWords(given), INFERENCE_OPTIONS, INFERENCE_DEFAULTS)),
    targets: [
      { measured: 'seconds', value: (result) => result.secondsRatio, most: 0.95 },
      { measured: 'peak RSS', value: (result) => result.rssRatio, most: 1.0 },
    ],
  },
  {
    name: 'trainer starts',
    work: async () => measureStart(STARTS),
    targets: [{ measured: 'seconds to the first operation', value: (result) => result.medianSeconds, most: 1 }],
  },
  {
    name: 'engine alone',
    work: ({ threads }) => measureEngineAlone(readOptions(toWords({ threads }))),
    targets: [
      { measured: 'JavaScript’s share of the step', value: ({ overhead }) => overhead.share, most: 0.05 },
      { measured: 'heap growth in 1,000 steps, KiB', value: ({ growth }) => growth.heapKiB, most: 128 },
      { measured: 'buffers’ growth in 1,000 steps, KiB', value: ({ growth }) => growth.arrayBuffersKiB, most: 0 },
      { measured: 'tensors left by 1,000 steps', value: ({ growth }) => growth.tensors, most: 0 },
    ],
  },
];

function stepCase(name, settings, mostStep, mostRss, more = []) {
  return {
    name,
    precision: settings.precision,
    work: ({ volume: _, ...given }) => compareSteps(readOptions(toWords({ ...given, ...settings }))),
    targets: [
      { measured: 'step time', value: (result) => result.stepRatio, most: mostStep },
      { measured: 'peak RSS', value: (result) => result.rssRatio, most: mostRss },
      ...more,
    ],
  };
}

function toWords(options) {
  return Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
}
