import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { required } from '@consilium/shared/kernel';
import { stringify } from 'yaml';
import { z } from 'zod';
import type { ProgramGroup } from '../programs/program-group.js';
import { SITE_AGENT_PROGRAM } from '../programs/project.js';
import type { RunResult } from './run-store.js';

const segmentedSchema = z.looseObject({
  meanDice: z.number().nullable(),
  cases: z.array(z.looseObject({ name: z.string(), dice: z.number() })),
});
const classifiedSchema = z.looseObject({
  auc: z.number().nullable(),
  accuracy: z.number().nullable(),
  classNames: z.array(z.string()),
  cases: z.array(z.looseObject({ name: z.string(), patient: z.string(), label: z.number(), probabilities: z.array(z.number()) })),
});
const summarySchema = z.looseObject({
  model: z.looseObject({
    digest: z.string(),
    steps: z.number(),
    bestStep: z.number(),
    stopped: z.string(),
    trainingMs: z.number(),
    historyPath: z.string(),
    test: segmentedSchema.nullable(),
    classified: classifiedSchema.nullable(),
  }),
});
const historySchema = z.looseObject({
  validations: z.array(
    z.looseObject({ step: z.number(), loss: z.number(), dice: z.number().optional(), auc: z.number().nullable().optional() }),
  ),
});

export interface FinetuneRunPlan {
  /** The task file with its cases. */
  readonly task: Readonly<Record<string, unknown>>;
  /** A model file; undefined for scratch. */
  readonly from: string | undefined;
  readonly folder: string;
  readonly logFile: string;
  readonly threads: number;
}

/** Figures of one fine-tuning on its held-out cases. */
export interface FinetuneFigures {
  readonly digest: string;
  readonly figures: Record<string, number | null>;
  readonly cases: Record<string, number>;
  readonly outcomes: RunResult['outcomes'];
  readonly curves: Record<string, [number, number][]>;
}

/** Runs `site-agent finetune` to its end; one that was stopped goes on where it was. The folder is removed afterwards. */
export async function runFinetuning(group: ProgramGroup, label: string, plan: FinetuneRunPlan): Promise<FinetuneFigures> {
  const { task, from = 'scratch', folder, logFile, threads } = plan;
  mkdirSync(folder, { recursive: true });
  const [taskFile, summaryFile] = [join(folder, 'task.yaml'), join(folder, 'summary.json')];
  writeFileSync(taskFile, stringify(task));
  const places = ['--from', from, '--output', join(folder, 'output'), '--json', summaryFile];
  const args = ['finetune', taskFile, ...places, '--threads', String(threads)];
  await group.run(label, SITE_AGENT_PROGRAM, args, logFile);
  const { model } = summarySchema.parse(JSON.parse(readFileSync(summaryFile, 'utf8')));
  const { validations } = historySchema.parse(JSON.parse(readFileSync(model.historyPath, 'utf8')));
  const curveOf = (figure: 'loss' | 'dice' | 'auc'): [number, number][] =>
    validations.flatMap((validation): [number, number][] => {
      const value = validation[figure];
      return typeof value === 'number' ? [[validation.step, value]] : [];
    });
  rmSync(folder, { recursive: true, force: true });
  return {
    digest: model.digest,
    figures: {
      ...(model.test === null ? {} : { dice: model.test.meanDice }),
      ...(model.classified === null ? {} : { auc: model.classified.auc, accuracy: model.classified.accuracy }),
      steps: model.steps,
      stepsToBest: model.bestStep,
      stoppedEarly: model.stopped === 'early-stop' ? 1 : 0,
      trainingSeconds: model.trainingMs / 1000,
    },
    cases: Object.fromEntries((model.test?.cases ?? []).map(({ name, dice }) => [name, dice])),
    outcomes: model.classified === null ? undefined : outcomesOf(model.classified),
    curves: Object.fromEntries(
      (['loss', 'dice', 'auc'] as const)
        .map((figure): [string, [number, number][]] => [figure, curveOf(figure)])
        .filter(([, curve]) => curve.length > 0),
    ),
  };
}

function outcomesOf({ cases, classNames }: z.infer<typeof classifiedSchema>): RunResult['outcomes'] {
  const last = classNames.length - 1;
  return Object.fromEntries(
    cases.map(({ name, patient, label, probabilities }) => [
      name,
      [patient, label === last, required(probabilities[last], 'the probability of the last class')],
    ]),
  );
}
