import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { ProgramGroup } from '../programs/program-group.js';
import { SITE_AGENT_PROGRAM } from '../programs/project.js';
import type { Holding } from './protocol.js';
import type { ShelfData } from './shelf-data.js';

export interface CentralPretraining {
  readonly holdings: readonly Holding[];
  /** The recipe. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Scans, checkpoints and the course; a run that was stopped goes on from it. */
  readonly folder: string;
  readonly modelFile: string;
  readonly logFile: string;
  readonly threads: number;
}

const groupSchema = z.looseObject({
  skill: z.number(),
  modality: z.string().optional(),
  treatment: z.string().optional(),
});
const outcomeSchema = z.looseObject({
  digest: z.string(),
  steps: z.number(),
  bestStep: z.number(),
  trainingMs: z.number(),
  score: z.looseObject({ skill: z.number(), groups: z.array(groupSchema).optional() }).nullable(),
});
const summarySchema = z.looseObject({ outcome: outcomeSchema });

/** What a pretraining came to: restoration skill overall and by group, on volumes that it was not trained on. */
export interface PretrainingFigures {
  readonly digest: string;
  readonly figures: Record<string, number | null>;
}

/** Trains a recipe at one site that holds all the volumes, and leaves the best weights as a model file. */
export async function pretrainCentrally(
  group: ProgramGroup,
  data: ShelfData,
  { holdings, settings, folder, modelFile, logFile, threads }: CentralPretraining,
): Promise<PretrainingFigures> {
  mkdirSync(folder, { recursive: true });
  const [scans, output] = [join(folder, 'scans'), join(folder, 'output')];
  data.gather(holdings, scans);
  const [recipe, summary] = [join(folder, 'recipe.yaml'), join(folder, 'summary.json')];
  writeFileSync(recipe, stringify(settings));
  const places = ['--data', scans, '--output', output, '--json', summary];
  const args = ['pretrain', recipe, ...places, '--threads', String(threads)];
  await group.run(`pretraining ${String(settings['name'])}`, SITE_AGENT_PROGRAM, args, logFile);
  copyFileSync(join(output, 'model.safetensors'), modelFile);
  const { outcome } = summarySchema.parse(JSON.parse(readFileSync(summary, 'utf8')));
  const { digest, steps, bestStep, trainingMs, score } = outcome;
  const groups = (score?.groups ?? []).map((one): [string, number] => [
    `skill.${[one.modality, one.treatment].filter(Boolean).join('.')}`,
    one.skill,
  ]);
  const figures = { steps, bestStep, trainingSeconds: trainingMs / 1000, 'skill.all': score?.skill ?? null };
  return { digest, figures: { ...figures, ...Object.fromEntries(groups) } };
}
