#!/usr/bin/env node
import { parseRuntimeArguments } from '../runtime/setup-runtime.mjs';
import { setUpOrExit } from './set-up.mjs';

const HELP = `Sets the project up: npm packages, TensorFlow runtime, build. Does only what is not up to date.

  npm run setup -- [--variant cpu|gpu|auto] [--from PATH] [--force]

  --variant   which TensorFlow: auto (default) takes gpu when an NVIDIA card is visible
  --from      TensorFlow without network: its wheel, a folder of wheels, or a runtime folder laid elsewhere
  --force     lay the TensorFlow runtime anew

Exit codes: 0 done, 2 wrong arguments or an old Node, 6 set-up failed.`;

let values;
try {
  values = parseRuntimeArguments(process.argv.slice(2));
} catch (error) {
  console.error(`ARGUMENT_INVALID: ${error.message}\n\n${HELP}`);
  process.exit(2);
}
if (values.help) {
  console.log(HELP);
} else {
  const worked = await setUpOrExit(values);
  console.log(worked ? 'set-up is done' : 'set-up is up to date');
}
