/**
 * Seconds per training step and peak memory of the engine beside PyTorch: both processes live at the same time and take
 * turns step by step, so that other programs disturb both alike. Prints one JSON line.
 *
 * usage: npm run bench:step -- [--network unet3d|resnet10] [--norm batch|instance] [--width 8] [--batch 4]
 *   [--patch 64,64,32] [--precision f32|bf16] [--optimizer sgd|adam] [--steps 7] [--warmup 2] [--threads 2]
 *   [--memory plain|lean|leanest] [--public] [--layout channels_last|default] [--reference PYTHON]
 * PYTHON is any Python with torch 2 or newer; without it only the engine is measured. Build first (npm run build).
 */
import { compareSteps } from './compare-steps.mjs';
import { readOptions } from './options.mjs';
import { printResult } from './print-result.mjs';

await printResult(() => compareSteps(readOptions(process.argv.slice(2))));
