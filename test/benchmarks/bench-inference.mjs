/**
 * Seconds for a whole volume by sliding windows, and peak memory, of the engine beside PyTorch: half overlapping windows,
 * averaged, both processes in turns of a few windows. Prints one JSON line.
 *
 * usage: npm run bench:inference -- [--volume 256,256,128] [--patch 64,64,32] [--width 32] [--norm batch|instance]
 *   [--precision f32|bf16] [--threads 2] [--windows-per-batch N] [--reference PYTHON]
 * The product predicts one window at a time; PyTorch takes the quickest of 1, 2 and 4 windows in a batch. The full volume has
 * 343 windows: several minutes a side. Build first (npm run build).
 */
import { compareInference } from './compare-inference.mjs';
import { INFERENCE_DEFAULTS, INFERENCE_OPTIONS, readOptions } from './options.mjs';
import { printResult } from './print-result.mjs';

await printResult(() => compareInference(readOptions(process.argv.slice(2), INFERENCE_OPTIONS, INFERENCE_DEFAULTS)));
