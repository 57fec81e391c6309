import { Random } from '@consilium/shared/kernel';
import { makePlane, makeSlice, type MadeFacts } from '../../../../test/fixtures/make-dicom-facts.js';
import { assembleSeries } from './assemble-series.js';
import type { DicomFacts, Point } from './dicom-facts.js';
import { dot } from './patient-space.js';
import type { ReadableStack, SeriesAssembly } from './series-stack.js';

const SERIES = 600;

/** A series that some scanner or exporter might have made: even or not, of several frames, with fields that tell little. */
function anySeries(random: Random): DicomFacts[] {
  const below = (count: number): number => Math.floor(random.uniform() * count);
  const [slices, frames] = [1 + below(7), 1 + below(3)];
  const told = { echo: below(2), time: below(2), number: below(3), type: below(4), acquisition: below(3) };
  const [jitterMm, lossShare, turnShare] = [
    [0, 0, 1e-3, 0.2][below(4)] ?? 0,
    [0, 0, 0.1][below(3)] ?? 0,
    [0, 0, 0.1][below(3)] ?? 0,
  ];
  const files: DicomFacts[] = [];
  for (let frame = 0; frame < frames; frame++) {
    for (let slice = 0; slice < slices; slice++) {
      if (random.uniform() < lossShare) continue;
      const angle = random.uniform() < turnShare ? 0.3 : 0;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const position: Point = [jitterMm * random.uniform(), 0, 2 * slice + jitterMm * random.uniform()];
      const changes: MadeFacts = {
        planes: [makePlane(position, { rowDirection: [c, s, 0], columnDirection: [-s, c, 0] })],
        imageType: ['ORIGINAL', told.type === 3 ? `T${frame}` : 'M'],
        echoTimeMs: told.echo === 1 ? 3 * frame : 5,
        temporalPosition: told.time === 1 ? frame : undefined,
        acquisitionNumber: told.acquisition === 2 ? frame : 1,
        instanceNumber: told.number === 0 ? undefined : files.length * (told.number === 1 ? 1 : 0),
        spacingBetweenSlicesMm: random.uniform() < 0.5 ? 2 : undefined,
      };
      files.push(makeSlice(`f${frame}s${slice}`, 0, changes));
    }
  }
  return files;
}

function expectSound({ stacks, leftOut }: SeriesAssembly, files: readonly DicomFacts[]): void {
  const accounted = [...stacks.flatMap((stack) => stack.files), ...leftOut.map(({ file }) => file)];
  expect(accounted.sort()).toEqual(files.map(({ path }) => path).sort());
  for (const stack of stacks) {
    if (stack.status !== 'refused') expectOneGrid(stack);
    expect(stack.reason === undefined).toBe(stack.status === 'ok');
  }
}

/** Every plane lies where the grid says, within what a report admits, and looks the way the grid does. */
function expectOneGrid({ grid, frames, header, status }: ReadableStack): void {
  const [, , slices] = grid.sizeVoxels;
  const at = (row: number, k: number): number => (grid.affine[row + 2] ?? 0) * k + (grid.affine[row + 3] ?? 0);
  const tolerance = status === 'ok' ? 0.021 : 0.13;
  expect(header.geometry.frames).toBe(frames.length);
  expect(slices).toBeGreaterThanOrEqual(2);
  for (const planes of frames) {
    expect(planes).toHaveLength(slices);
    expect(new Set(planes.map(({ facts }) => facts.path)).size).toBe(slices);
    for (const [k, { position, rowDirection }] of planes.entries()) {
      const off = Math.hypot(-position[0] - at(0, k), -position[1] - at(4, k), position[2] - at(8, k));
      if (!(off < tolerance)) throw new Error(`slice ${k} lies ${off} mm off its grid`);
      expect(dot(rowDirection, planes[0]?.rowDirection ?? [0, 0, 0])).toBeGreaterThan(0.999);
    }
  }
}

describe('any series', () => {
  it(`is accounted for file by file, and no volume has a slice off its grid (${SERIES} series)`, () => {
    const outcomes = { ok: 0, reported: 0, refused: 0 };
    const random = new Random('any DICOM series');
    for (let index = 0; index < SERIES; index++) {
      const files = anySeries(random.fork(index));
      const assembly = assembleSeries(files);
      expectSound(assembly, files);
      expect(assembleSeries([...files].reverse())).toEqual(assembly);
      for (const { status } of assembly.stacks) outcomes[status]++;
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(SERIES / 20);
  });
});
