import type { StackFault } from './series-stack.js';

/** A gap counts as a multiple of the usual one when it is this near to it, in usual gaps. */
const MULTIPLE_TOLERANCE = 0.1;

/** Says in words why heights (ascending, millimetres) are not evenly spaced: slices are missing, or spacings differ. */
export function explainGaps(heightsMm: readonly number[]): StackFault {
  const gaps = heightsMm.slice(1).map((height, index) => height - (heightsMm[index] ?? 0));
  const usual = medianOf(gaps);
  const multiples = gaps.map((gap) => gap / usual);
  const wide = gaps.findIndex((gap) => gap > 1.5 * usual);
  if (wide >= 0 && multiples.every((times) => times > 0.5 && Math.abs(times - Math.round(times)) <= MULTIPLE_TOLERANCE)) {
    return missingSlices(multiples, wide, heightsMm[wide] ?? 0, usual);
  }
  const [narrowest, widest] = [Math.min, Math.max].map((end) => gaps.reduce((a, b) => end(a, b)));
  return {
    fault: `its slices are not evenly spaced: gaps from ${millimetres(narrowest ?? 0)} to ${millimetres(widest ?? 0)} mm`,
  };
}

function missingSlices(multiples: readonly number[], wide: number, belowMm: number, usual: number): StackFault {
  const missing = multiples.reduce((sum, times) => sum + Math.round(times) - 1, 0);
  const gapMm = millimetres((multiples[wide] ?? 1) * usual);
  const where = `the ${missing === 1 ? '' : 'first '}gap is ${gapMm} mm wide after slice ${wide + 1}, where others are ${millimetres(usual)} mm`;
  return {
    fault: `${missing} ${missing === 1 ? 'slice is' : 'slices are'} missing (${where}, at ${millimetres(belowMm)} mm)`,
    remedy: 'Export the whole series again; some of its files did not arrive.',
  };
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}

function millimetres(value: number): string {
  return String(Number(value.toFixed(3)));
}
