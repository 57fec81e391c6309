import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['**/dist/**', '**/node_modules/**', 'demo-output/**', '*.cjs', '**/*.mjs'] },
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: ['./*/tsconfig.json', './tsconfig.spec.json'], tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 70, skipComments: true, skipBlankLines: true }],
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Read the environment in config/ only and pass the value on.' },
      ],
    },
  },
  { files: ['**/src/config/**', 'test/**', '**/*.spec.ts'], rules: { 'no-restricted-properties': 'off' } },
  {
    files: [
      '**/src/cli.ts',
      '**/src/commands/**',
      '**/src/terminal/**',
      'deploy/src/demo/**',
      'deploy/src/evidence/main.ts',
      'deploy/src/simulate/main.ts',
      'test/benchmarks/**',
    ],
    rules: { 'no-console': 'off' },
  },
  // A suite is one long function by nature; its cases are not.
  { files: ['**/*.spec.ts', 'test/**'], rules: { 'max-lines-per-function': 'off' } },
);
