import { availableParallelism } from 'node:os';

const scripts = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    target: 'es2022',
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

// Jest gives specs a copy of the environment that native code never sees, so what the engine sets there before it loads TensorFlow
// is lost. Left alone, TensorFlow takes oneDNN's kernels only on processors with AVX-512; a trainer takes them on all.
process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';

/** Unit specs run on the sources; specs that start real processes use the built programs (set-up builds them first). */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/shared/src', '<rootDir>/coordinator/src', '<rootDir>/site-agent/src', '<rootDir>/deploy', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@consilium/shared/(kernel|identity|wire|weights|models|safeguards|terminal)$': '<rootDir>/shared/src/$1/index.ts',
  },
  transform: { '^.+\\.ts$': ['@swc/jest', scripts] },
  // Many specs wait for processes and clocks: two at a time use two cores better than one does.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // Modules of finished suites stay in a worker's memory: a fresh worker is quicker than one that carries hundreds of them.
  workerIdleMemoryLimit: '1.2GB',
  // What is tested is not speed: a slow machine beside other work gets its time.
  testTimeout: 300_000,
  testSequencer: '<rootDir>/test/longest-first.mjs',
};
