const scripts = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
    target: 'es2022',
  },
  module: { type: 'es6' },
  sourceMaps: 'inline',
};

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
    '^@consilium/shared/(kernel|wire|weights|models|terminal)$': '<rootDir>/shared/src/$1/index.ts',
  },
  transform: { '^.+\\.ts$': ['@swc/jest', scripts] },
  testTimeout: 20_000,
};
