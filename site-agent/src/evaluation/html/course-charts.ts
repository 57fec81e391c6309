import type { RunCourse, TrainingCourse } from '../training-course.js';
import { chartFigure, type ChartLine } from './chart.js';
import { section } from './page.js';

type Validation = TrainingCourse['validations'][number];

const SCORES = [
  ['dice', 'Dice'],
  ['auc', 'AUC'],
  ['accuracy', 'accuracy'],
] as const;

/** Curves of losses and validation scores over the steps, the scratch run's beside the model's; nothing without validations. */
export function courseSection(courses: readonly RunCourse[]): string {
  const charts = courses.flatMap(chartsOf);
  return charts.length === 0 ? '' : section('Course of training', `<div class="figures">${charts.join('\n')}</div>`);
}

function chartsOf({ fold, model, scratch }: RunCourse): string[] {
  if (model === undefined || model.validations.length === 0) return [];
  const of = fold === undefined ? '' : `, fold ${fold}`;
  const losses = [
    line('validation', 'model', model, ({ loss }) => loss),
    line('training', 'training', model, ({ trainingLoss }) => trainingLoss),
    ...(scratch === undefined
      ? []
      : [
          line('scratch, validation', 'scratch', scratch, ({ loss }) => loss),
          line('scratch, training', 'scratch-training', scratch, ({ trainingLoss }) => trainingLoss),
        ]),
  ];
  const scores = SCORES.flatMap(([key, name]) => {
    const lines = [
      line('validation', 'model', model, (validation) => validation[key]),
      ...(scratch === undefined ? [] : [line('scratch, validation', 'scratch', scratch, (validation) => validation[key])]),
    ].filter(({ points }) => points.length > 0);
    return lines.length === 0 ? [] : [chartFigure({ title: `Validation ${name}${of}`, xLabel: 'step', yLabel: name, lines })];
  });
  return [chartFigure({ title: `Loss${of}`, xLabel: 'step', yLabel: 'loss', lines: losses }), ...scores];
}

function line(
  name: string,
  style: string,
  course: TrainingCourse,
  valueOf: (validation: Validation) => number | null | undefined,
): ChartLine {
  const points = course.validations.flatMap((validation) => {
    const value = valueOf(validation);
    return value === null || value === undefined ? [] : [[validation.step, value] as const];
  });
  return { name, style, points };
}
