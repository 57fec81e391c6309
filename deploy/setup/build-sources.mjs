import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../runtime/run-command.mjs';
import { SetupFailure } from '../runtime/setup-failure.mjs';
import { digestOfContents, digestOfListing, PACKAGES, readStamps, ROOT, writeStamp } from './project.mjs';

function wanted() {
  const settings = [
    'tsconfig.base.json',
    'tsconfig.json',
    'package-lock.json',
    ...PACKAGES.map((name) => `${name}/tsconfig.json`),
  ];
  const sources = digestOfListing(
    PACKAGES.map((name) => join(ROOT, name, 'src')),
    (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'),
  );
  return `${digestOfContents(settings.map((name) => join(ROOT, name)))} ${sources}`;
}

export function sourcesAreBuilt() {
  return PACKAGES.every((name) => existsSync(join(ROOT, name, 'dist', '.tsbuildinfo'))) && readStamps().build === wanted();
}

/** Compiles the TypeScript of every package that changed. */
export async function buildSources() {
  const before = wanted(); // an edit during the build is built next time
  const result = await runCommand(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: ROOT });
  if (result.status !== 0) {
    throw new SetupFailure(
      'the sources do not compile',
      `The compiler said:\n${result.stdout.trim().split('\n').slice(0, 20).join('\n')}`,
    );
  }
  writeStamp('build', before);
}
