import { chartFigure, type ChartLine } from './chart.js';

/** From one corner to the other. */
export function diagonal(name: string): ChartLine {
  const ends = [
    [0, 0],
    [1, 1],
  ] as const;
  return { name, style: 'quiet', points: ends };
}

/** A bin of cases or of voxels. */
export interface DrawnBin {
  readonly meanProbability: number | null;
  readonly observedShare: number | null;
  /** What a pointer that rests on the dot is told. */
  readonly label: string;
}

/** Mean probability of each bin that is not empty against the share that came true, the scratch run's beside the model's. */
export function reliabilityChart(
  title: string,
  share: string,
  own: readonly DrawnBin[],
  scratch: readonly DrawnBin[] = [],
): string {
  const lines = [diagonal('as good as its word'), lineOf('this model', 'model', own)];
  if (scratch.length > 0) lines.push(lineOf('scratch', 'scratch', scratch));
  return chartFigure({ title, xLabel: 'mean probability', yLabel: share, xRange: [0, 1], yRange: [0, 1], lines });
}

function lineOf(name: string, style: string, bins: readonly DrawnBin[]): ChartLine {
  const filled = bins.flatMap(({ meanProbability: x, observedShare: y, label }) =>
    x === null || y === null ? [] : [{ point: [x, y] as const, label }],
  );
  return {
    name,
    style,
    drawn: 'line and dots',
    points: filled.map(({ point }) => point),
    labels: filled.map(({ label }) => label),
  };
}
