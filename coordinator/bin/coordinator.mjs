#!/usr/bin/env node
// The launcher is committed so that npm can link it before the first build; the program itself is dist/cli.js.
import { existsSync } from 'node:fs';

const program = new URL('../dist/cli.js', import.meta.url);
if (!existsSync(program)) {
  console.error('coordinator is not built yet: run "npm run setup" in the project folder first.');
  process.exit(2);
}
await import(program.href);
