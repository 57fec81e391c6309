/**
 * Reads how much of the modality is left in a model's features: node modality-probe-main.js MODEL VOLUMES.json [OUT.json]. VOLUMES.json
 * names sets of volumes, such as all of them and those of one body region alone; each is probed by itself, on the same settings:
 * { "sets": { "all": [{ "path", "modality", "group" }, …], "limb": […] }, "patch": { … }, "patchesPerVolume": 16, "seed": "1" }.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { parseWith, patchPlanSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import { openRuntime } from '../engine/open-runtime.js';
import { readModelFile } from '../finetuning/answers/model-file.js';
import { EncoderFeatures } from './encoder-features.js';
import { type ProbedModality, probeModality } from './modality-probe.js';
import { examplesOf } from './probe-volumes.js';

const volumeSchema = z.strictObject({ path: z.string(), modality: z.enum(['CT', 'MR']), group: z.string() });
const taskSchema = z.strictObject({
  sets: z.record(z.string(), z.array(volumeSchema).min(4)),
  patch: patchPlanSchema.prefault({}),
  patchesPerVolume: z.int().min(1).default(16),
  folds: z.int().min(2).default(5),
  seed: z.string().default('1'),
});

async function probeSets(modelPath: string, taskPath: string): Promise<Record<string, ProbedModality>> {
  const task = parseWith(taskSchema, JSON.parse(readFileSync(taskPath, 'utf8')), 'ARGUMENT_INVALID', 'the volumes to probe');
  const { spec, weights } = await readModelFile(modelPath);
  if (spec.architecture !== 'universal-model' && spec.architecture !== 'genesis-unet3d') {
    throw new FederationError('ARGUMENT_INVALID', `the probe reads the encoder of a U-Net, not of a ${spec.architecture}`);
  }
  const encoder = EncoderFeatures.open(openRuntime(), spec, weights);
  try {
    const results: Record<string, ProbedModality> = {};
    for (const [name, volumes] of Object.entries(task.sets)) {
      const examples = await examplesOf(volumes, task, (patch) => encoder.read(patch, task.patch.sizeVoxels));
      results[name] = probeModality(examples, { seed: task.seed, folds: task.folds });
    }
    return results;
  } finally {
    encoder.dispose();
  }
}

const [modelPath, taskPath, outPath] = process.argv.slice(2);
if (modelPath === undefined || taskPath === undefined) {
  process.stderr.write('node modality-probe-main.js MODEL VOLUMES.json [OUT.json]\n');
  process.exitCode = 2;
} else {
  try {
    const text = `${JSON.stringify(await probeSets(modelPath, taskPath), null, 2)}\n`;
    if (outPath === undefined) process.stdout.write(text);
    else writeFileSync(outPath, text);
  } catch (thrown) {
    const { code, message, remedy } = FederationError.from(thrown);
    process.stderr.write(`${code}: ${message}\n${remedy ?? ''}\n`);
    process.exitCode = 1;
  }
}
