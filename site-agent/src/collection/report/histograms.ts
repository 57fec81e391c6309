import type { IntensityStatistics } from '../../volumes/intensity-statistics.js';
import type { Triple } from '../../volumes/volume.js';
import type { ScanRecord } from '../scan-record.js';

export interface Histogram {
  readonly title: string;
  /** Bars that stand for numbers of scans are few and worth reading one by one; shares make a curve. */
  readonly form: 'bars' | 'curve';
  /** What the bars count. */
  readonly counted: string;
  readonly bars: readonly Bar[];
  /** Where the first bar begins and the last one ends. */
  readonly ends: readonly [string, string];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
}

const SPACING_EDGES_MM = [0, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7, 10, Infinity];
const CT_RANGE_HU = [-1000, 1500] as const;
const CT_BARS = 25;
const MR_BARS = 20;
const COUNTED_SHARES = 'percent of the voxels, mean over volumes';

/** Voxel sizes and intensities of the scans that can be read; none for what is not there. */
export function histogramsOf(scans: readonly ScanRecord[]): Histogram[] {
  const records = scans.filter((scan) => scan.status !== 'refused');
  const spacings = records.flatMap((record) => (record.geometry === undefined ? [] : [record.geometry.spacingMm]));
  const statisticsOf = (modality: string) =>
    records
      .filter((record) => record.modality === modality)
      .flatMap((record) => record.volumes.map((volume) => volume.statistics));
  const [ct, mr] = [statisticsOf('CT'), statisticsOf('MR')];
  return [
    ...(spacings.length === 0
      ? []
      : [
          spacingHistogram('Finest side of a voxel, mm', spacings, Math.min),
          spacingHistogram('Coarsest side of a voxel, mm', spacings, Math.max),
        ]),
    ...(ct.length === 0 ? [] : [ctHistogram(ct)]),
    ...(mr.length === 0 ? [] : [mrHistogram(mr)]),
  ];
}

/** How many scans have a finest, or a coarsest, voxel side of about this many millimetres. */
function spacingHistogram(title: string, spacings: readonly Triple[], pick: (...sides: number[]) => number): Histogram {
  // Voxel sizes come as 32-bit floats: 0.99999994 mm is 1 mm.
  const sides = spacings.map((spacing) => Number(pick(...spacing).toPrecision(5)));
  const bars = SPACING_EDGES_MM.slice(0, -1).map((from, index) => {
    const to = SPACING_EDGES_MM[index + 1] ?? Infinity;
    const value = sides.filter((side) => side >= from && side < to).length;
    return { label: to === Infinity ? `${from} and more` : `${from} to ${to}`, value };
  });
  return { title, form: 'bars', counted: 'scans', bars, ends: ['0 mm', '10 mm and more'] };
}

/** The mean share of voxels per range of Hounsfield units; each volume weighs the same, values outside count at the ends. */
function ctHistogram(statistics: readonly IntensityStatistics[]): Histogram {
  const [low, high] = CT_RANGE_HU;
  const width = (high - low) / CT_BARS;
  const shares = meanShares(statistics, CT_BARS, () => [low, high]);
  const bars = shares.map((value, index) => ({ label: `${low + index * width} to ${low + (index + 1) * width} HU`, value }));
  return { title: 'CT intensities', form: 'curve', counted: COUNTED_SHARES, bars, ends: [`${low} HU`, `${high} HU`] };
}

/**
 * MR has no common unit: the mean share of voxels between each volume's own percentiles 0.5 (0 %) and 99.5 (100 %), as
 * training scales them.
 */
function mrHistogram(statistics: readonly IntensityStatistics[]): Histogram {
  const shares = meanShares(statistics, MR_BARS, ({ lowPercentile, highPercentile }) => [lowPercentile, highPercentile]);
  const bars = shares.map((value, index) => ({
    label: `${(100 / MR_BARS) * index} to ${(100 / MR_BARS) * (index + 1)} %`,
    value,
  }));
  return {
    title: "MR intensities, within each volume's own range",
    form: 'curve',
    counted: COUNTED_SHARES,
    bars,
    ends: ['0 %', '100 %'],
  };
}

function meanShares(
  statistics: readonly IntensityStatistics[],
  bars: number,
  rangeOf: (statistics: IntensityStatistics) => readonly [number, number],
): number[] {
  const sums = new Array<number>(bars).fill(0);
  for (const entry of statistics) {
    const total = entry.histogram.reduce((sum, count) => sum + count, 0);
    if (total === 0) continue;
    spread(entry, rangeOf(entry), sums.length, (bar, voxels) => {
      sums[bar] = (sums[bar] ?? 0) + (100 * voxels) / total / statistics.length;
    });
  }
  return sums;
}

/** Hands the counts of a volume's own bins to the bars that they overlap, evenly over each bin's width. */
function spread(
  { minimum, maximum, histogram }: IntensityStatistics,
  [low, high]: readonly [number, number],
  bars: number,
  add: (bar: number, voxels: number) => void,
): void {
  const barWidth = (high - low) / bars;
  const barOf = (value: number): number =>
    barWidth > 0 ? Math.min(bars - 1, Math.max(0, Math.floor((value - low) / barWidth))) : 0;
  const binWidth = (maximum - minimum) / histogram.length;
  histogram.forEach((voxels, bin) => {
    if (voxels === 0) return;
    const from = minimum + bin * binWidth;
    const to = from + binWidth;
    const [first, last] = [barOf(from), barOf(to)];
    if (first === last) return add(first, voxels);
    for (let bar = first; bar <= last; bar++) {
      const start = bar === first ? from : low + bar * barWidth;
      const end = bar === last ? to : low + (bar + 1) * barWidth;
      add(bar, (voxels * (end - start)) / (to - from));
    }
  });
}
