/** The options that all benchmarks share, and what they stand for on both sides. */
import { parseArgs } from 'node:util';

const OPTIMIZERS = {
  sgd: { kind: 'sgd', learningRate: 0.1, momentum: 0.9 },
  adam: { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
};

/** What a case is when nothing else is said: the first row of the table of targets. */
const DEFAULTS = {
  network: 'unet3d',
  norm: 'batch',
  width: '', // 8 for the U-Net; 64, the published one, for the residual network
  batch: '', // 4 for the U-Net, 2 for the residual network
  patch: '', // 64,64,32 for the U-Net; 56,56,56 for the residual network
  precision: 'f32',
  optimizer: 'sgd',
  steps: '7',
  warmup: '2',
  threads: '',
  layout: 'channels_last',
};

const CHOICES = {
  network: ['unet3d', 'resnet10'],
  norm: ['batch', 'instance'],
  precision: ['f32', 'bf16'],
  optimizer: Object.keys(OPTIMIZERS),
  layout: ['channels_last', 'default'],
};

const NETWORK_DEFAULTS = {
  unet3d: { width: '8', batch: '4', patch: '64,64,32' },
  resnet10: { width: '64', batch: '2', patch: '56,56,56' },
};

/** What `bench:inference` asks beside, and its case when nothing else is said. */
export const INFERENCE_OPTIONS = { volume: { type: 'string' }, 'windows-per-batch': { type: 'string' } };
export const INFERENCE_DEFAULTS = { width: '32', batch: '1', volume: '256,256,128' };

/** Reads a command line. `extra` names further options (parseArgs' form). Throws on a word that is no choice. */
export function readOptions(args, extra = {}, defaults = {}) {
  const known = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: 'string' }]));
  const flags = { public: { type: 'boolean', default: false }, memory: { type: 'string' }, reference: { type: 'string' } };
  const { values } = parseArgs({ args, options: { ...known, ...flags, ...extra } });
  const network = values.network ?? defaults.network ?? DEFAULTS.network;
  const options = { ...DEFAULTS, ...NETWORK_DEFAULTS[network], ...defaults, ...values };
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (!choices.includes(options[name])) throw new Error(`--${name} is one of ${choices.join(', ')}, not ${options[name]}`);
  }
  return {
    ...options,
    patch: readSides('patch', options.patch),
    ...Object.fromEntries(['width', 'batch', 'steps', 'warmup'].map((name) => [name, positive(name, options[name])])),
    threads: options.threads === '' ? undefined : positive('threads', options.threads),
  };
}

/** The same options as a command line for the processes that are measured. */
export function toArguments(options) {
  const names = Object.keys(DEFAULTS).filter((name) => options[name] !== undefined);
  return names.flatMap((name) => [`--${name}`, String(options[name])]);
}

/** Our model spec of a case. */
export function modelSpecOf({ network, width, norm }) {
  return network === 'unet3d'
    ? { architecture: 'genesis-unet3d', width, norm }
    : { architecture: 'medicalnet-resnet', depth: 10, width, norm, head: 'segmentation', outputs: 2 };
}

/** What only the engine's process is told. */
export function toEngineArguments({ memory, public: publicOnly }) {
  return [...(memory === undefined ? [] : ['--memory', memory]), ...(publicOnly ? ['--public'] : [])];
}

export function optimizerOf({ optimizer }) {
  return OPTIMIZERS[optimizer];
}

export function readSides(name, text) {
  const sides = text.split(',').map((side) => positive(name, side));
  if (sides.length !== 3) throw new Error(`--${name} needs three sides, such as 64,64,32`);
  return sides;
}

function positive(name, text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} needs whole numbers above 0, not "${text}"`);
  return value;
}
