import type { Monitors, StepFigures } from './reports.js';

type HeadFigures = Pick<Monitors, 'scaleAccuracy' | 'modalityAccuracy' | 'featureRank'>;

/** Beside the loss of the last steps: "restoration 0.0479, scale 0.42, modality 0.55"; empty where the objective shows nothing. */
export function describeStepFigures({ restorationError, scaleAccuracy, modalityAccuracy }: StepFigures): string {
  const figures = [
    ['restoration', restorationError?.toFixed(4)],
    ['scale', scaleAccuracy?.toFixed(2)],
    ['modality', modalityAccuracy?.toFixed(2)],
  ] as const;
  return figures.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])).join(', ');
}

/** Of a model that is looked at once: "scale accuracy 0.62, modality accuracy 0.55, feature rank 7.3"; restoration is told by a skill. */
export function describeMonitors(monitors: HeadFigures): string {
  return lines(headFigures, monitors);
}

/**
 * Before and after training: "restoration error CT 0.0231 → 0.0187, MR …, scale accuracy 0.33 → 0.62, …, feature rank 4.1 → 7.3".
 * What only one of the two has is left out.
 */
export function describeMonitorChange(base: Monitors, trained: Monitors): string {
  return lines((monitors) => [...restorationErrors(monitors), ...headFigures(monitors)], base, trained);
}

type Figure = readonly [name: string, value: string];

function restorationErrors({ restoration }: Monitors): Figure[] {
  return restoration.map(({ modality, restorationError }) => [`restoration error ${modality}`, restorationError.toFixed(4)]);
}

function headFigures({ scaleAccuracy, modalityAccuracy, featureRank }: HeadFigures): Figure[] {
  return [
    ...accuracy('scale accuracy', scaleAccuracy),
    ...accuracy('modality accuracy', modalityAccuracy),
    ['feature rank', featureRank.toFixed(1)],
  ];
}

function accuracy(name: string, value: number | undefined): Figure[] {
  return value === undefined ? [] : [[name, value.toFixed(2)]];
}

/** One figure after the other, each with its value in all of the given monitors. */
function lines<M>(figuresOf: (monitors: M) => readonly Figure[], first: M, ...others: readonly M[]): string {
  const later = others.map((monitors) => new Map(figuresOf(monitors)));
  return figuresOf(first)
    .filter(([name]) => later.every((values) => values.has(name)))
    .map(([name, value]) => `${name} ${[value, ...later.map((values) => values.get(name))].join(' → ')}`)
    .join(', ');
}
