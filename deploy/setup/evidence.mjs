#!/usr/bin/env node
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './project.mjs';
import { setUpOrExit } from './set-up.mjs';

// In this very process, so that arguments and signals reach the protocol untouched.
const program = join(ROOT, 'deploy', 'dist', 'evidence', 'main.js');
const wantsHelp = process.argv.slice(2).some((argument) => argument === '--help' || argument === '-h');
await setUpOrExit(undefined, wantsHelp ? () => undefined : console.log);
process.argv[1] = program;
await import(pathToFileURL(program).href);
