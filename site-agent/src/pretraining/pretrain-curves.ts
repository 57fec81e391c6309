import { type Monitors, type ProbeScore, VOXEL_TREATMENTS } from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import { chartFile, type LineChart, type Series } from '../evaluation/html/line-chart.js';
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

type Monitored = (monitors: Monitors) => number | undefined;

const ACCURACIES: Readonly<Record<string, Monitored>> = {
  scale: ({ scaleAccuracy }) => scaleAccuracy,
  modality: ({ modalityAccuracy }) => modalityAccuracy,
};

/** Figures of a universal model, by the names of their columns. */
const MONITORS: Readonly<Record<string, Monitored>> = {
  ...Object.fromEntries(Object.entries(ACCURACIES).map(([name, pick]) => [`${name}_accuracy`, pick])),
  feature_rank: ({ featureRank }) => featureRank,
};

/**
 * Writes curves.csv and curves.svg: losses, skills and the monitors of a universal model over the steps, a row for each validation.
 */
export async function writeCurves(
  folder: PretrainFolder,
  history: Pick<PretrainHistory, 'recipe' | 'validations'>,
): Promise<void> {
  await writeFileWhole(folder.curvesTable, [Buffer.from(curvesTable(history.validations))]);
  await writeFileWhole(folder.curvesPicture, [Buffer.from(curvesPicture(history))]);
}

export function curvesTable(validations: readonly PretrainValidation[]): string {
  const columns = Object.entries(validations.some(isMonitored) ? MONITORS : {});
  const head = [
    'step',
    'epoch',
    'training_loss',
    'validation_loss',
    'learning_rate',
    ...Object.keys(SKILLS).map((name) => `skill_${name}`),
    ...columns.map(([name]) => name),
  ];
  const rows = validations.map(({ step, epoch, trainingLoss, loss, learningRate, score, monitors }) =>
    [
      ...[step, epoch, trainingLoss, loss, learningRate],
      ...Object.values(SKILLS).map((pick) => pick(score)),
      ...columns.map(([, pick]) => monitors && pick(monitors)),
    ]
      .map((value) => (value === undefined || value === null ? '' : String(Number(value.toPrecision(6)))))
      .join(','),
  );
  return `${[head.join(','), ...rows].join('\n')}\n`;
}

/** A model that starts far off would flatten all that follows: lower skills are drawn here. */
const LEAST_SKILL = -0.2;

function isMonitored({ monitors }: PretrainValidation): boolean {
  return monitors !== undefined;
}

/**
 * Charts one below the other: losses (of a universal model in a chart each), skills, and of a universal model how often heads tell
 * scale and modality, and the rank of its features. Standalone SVG.
 */
export function curvesPicture({ recipe, validations }: Pick<PretrainHistory, 'recipe' | 'validations'>): string {
  const line = (name: string, value: (validation: PretrainValidation) => number | null | undefined): Series => ({
    name,
    points: validations.flatMap((validation) => {
      const y = value(validation);
      return typeof y === 'number' ? [{ x: validation.step, y }] : [];
    }),
  });
  const training = line('training loss', (v) => v.trainingLoss);
  const validation = line('validation loss', (v) => v.loss);
  const isUniversal = validations.some(isMonitored);
  const skills = Object.entries(SKILLS)
    .map(([name, pick]) => line(`skill, ${name}`, ({ score }) => atLeast(LEAST_SKILL, pick(score))))
    .filter(({ points }) => points.length > 0);
  const accuracies = Object.entries(ACCURACIES)
    .map(([name, pick]) => line(`${name} accuracy`, ({ monitors }) => monitors && pick(monitors)))
    .filter(({ points }) => points.length > 0);
  const ranks = [line('feature rank', ({ monitors }) => monitors?.featureRank)];
  const chart = (what: string, yLabel: string, series: readonly Series[]): LineChart => ({
    title: `${recipe}: ${what}`,
    xLabel: 'step',
    yLabel,
    series,
  });
  return chartFile(`Pretraining ${recipe}: its course over the steps`, [
    // A universal model's training loss is the weighted sum with its heads: on one axis its restoration would be a flat line.
    ...(isUniversal
      ? [
          chart('training loss, weighted sum over all heads', 'loss', [training]),
          chart('validation loss, mean squared error of the restoration', 'loss', [validation]),
        ]
      : [chart('losses', 'loss', [training, validation])]),
    chart('restoration skill', 'skill', skills),
    ...(accuracies.length > 0 ? [chart('accuracy of the heads', 'accuracy', accuracies)] : []),
    ...(isUniversal ? [chart('effective rank of the features', 'rank', ranks)] : []),
  ]);
}

function atLeast(least: number, value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.max(least, value);
}
