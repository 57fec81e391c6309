import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ProgramGroup } from '../programs/program-group.js';
import { PROJECT_ROOT } from '../programs/project.js';
import type { ProbePlan } from './protocol.js';
import type { ShelfData } from './shelf-data.js';

const PROBE_PROGRAM = join(PROJECT_ROOT, 'site-agent', 'dist', 'evaluation', 'modality-probe-main.js');

const figureSchema = z.looseObject({ value: z.number(), low: z.number(), high: z.number() });
const classifierSchema = z.looseObject({ auc: figureSchema, balancedAccuracy: figureSchema });
const probedSchema = z.looseObject({
  examples: z.number(),
  groups: z.number(),
  linear: classifierSchema,
  perceptron: classifierSchema,
});
const answerSchema = z.object({ probed: probedSchema });

export interface ModalityProbePlan {
  readonly plan: ProbePlan;
  readonly model: string;
  readonly folder: string;
  readonly logFile: string;
}

/** How well modality is read from the frozen features of a model, by two fresh classifiers, with intervals over patients. */
export async function runModalityProbe(
  group: ProgramGroup,
  data: ShelfData,
  { plan, model, folder, logFile }: ModalityProbePlan,
): Promise<Record<string, number>> {
  mkdirSync(folder, { recursive: true });
  const pattern = new RegExp(plan.files ?? '^(.*)$');
  const volumes = data.volumes(plan.sites).flatMap(({ path, file, modality }) => {
    const match = pattern.exec(file);
    return match === null ? [] : [{ path, modality, group: match[1] ?? file }];
  });
  const [task, answer] = [join(folder, 'volumes.json'), join(folder, 'answer.json')];
  const { patch, patchesPerVolume } = plan;
  writeFileSync(task, JSON.stringify({ sets: { probed: volumes }, patch, patchesPerVolume }));
  await group.run('modality probe', PROBE_PROGRAM, [model, task, answer], logFile);
  const { probed } = answerSchema.parse(JSON.parse(readFileSync(answer, 'utf8')));
  const figures: Record<string, number> = { examples: probed.examples, groups: probed.groups };
  for (const classifier of ['linear', 'perceptron'] as const) {
    for (const figure of ['auc', 'balancedAccuracy'] as const) {
      const { value, low, high } = probed[classifier][figure];
      Object.assign(figures, {
        [`${classifier}.${figure}`]: value,
        [`${classifier}.${figure}.low`]: low,
        [`${classifier}.${figure}.high`]: high,
      });
    }
  }
  return figures;
}
