import { type ProbeScore, VOXEL_TREATMENTS } from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import { chartFile, type Series } from '../evaluation/html/line-chart.js';
import type { PretrainFolder } from './pretrain-folder.js';
import type { PretrainHistory, PretrainValidation } from './pretrain-history.js';

/** Skills that are followed over the steps. */
const SKILLS: Readonly<Record<string, (score: ProbeScore) => number | undefined>> = {
  all: ({ skill }) => skill,
  ...Object.fromEntries(
    (['CT', 'MR'] as const).map((modality) => [modality, (score: ProbeScore) => skillOf(score, { modality })]),
  ),
  ...Object.fromEntries(VOXEL_TREATMENTS.map((treatment) => [treatment, (score: ProbeScore) => skillOf(score, { treatment })])),
};

function skillOf(
  { groups = [] }: ProbeScore,
  { modality, treatment }: { modality?: string; treatment?: string },
): number | undefined {
  return groups.find((group) => group.modality === modality && group.treatment === treatment)?.skill;
}

/** Writes curves.csv and curves.svg: losses and skills over the steps, a row for each validation. */
export async function writeCurves(
  folder: PretrainFolder,
  history: Pick<PretrainHistory, 'recipe' | 'validations'>,
): Promise<void> {
  await writeFileWhole(folder.curvesTable, [Buffer.from(curvesTable(history.validations))]);
  await writeFileWhole(folder.curvesPicture, [Buffer.from(curvesPicture(history))]);
}

export function curvesTable(validations: readonly PretrainValidation[]): string {
  const head = [
    'step',
    'epoch',
    'training_loss',
    'validation_loss',
    'learning_rate',
    ...Object.keys(SKILLS).map((name) => `skill_${name}`),
  ];
  const rows = validations.map(({ step, epoch, trainingLoss, loss, learningRate, score }) =>
    [step, epoch, trainingLoss, loss, learningRate, ...Object.values(SKILLS).map((pick) => pick(score))]
      .map((value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(6)))))
      .join(','),
  );
  return `${[head.join(','), ...rows].join('\n')}\n`;
}

/** A model that starts far off would flatten all that follows: lower skills are drawn here. */
const LEAST_SKILL = -0.2;

/** Two charts, one below the other: losses, then skills. Standalone SVG. */
export function curvesPicture({ recipe, validations }: Pick<PretrainHistory, 'recipe' | 'validations'>): string {
  const line = (name: string, value: (validation: PretrainValidation) => number | null | undefined): Series => ({
    name,
    points: validations.flatMap((validation) => {
      const y = value(validation);
      return typeof y === 'number' ? [{ x: validation.step, y }] : [];
    }),
  });
  const losses = [line('training loss', (v) => v.trainingLoss), line('validation loss', (v) => v.loss)];
  const skills = Object.entries(SKILLS)
    .map(([name, pick]) => line(`skill, ${name}`, ({ score }) => atLeast(LEAST_SKILL, pick(score))))
    .filter(({ points }) => points.length > 0);
  return chartFile(`Pretraining ${recipe}: losses and restoration skill over the steps`, [
    { title: `${recipe}: losses`, xLabel: 'step', yLabel: 'loss', series: losses },
    { title: `${recipe}: restoration skill`, xLabel: 'step', yLabel: 'skill', series: skills },
  ]);
}

function atLeast(least: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.max(least, value);
}
