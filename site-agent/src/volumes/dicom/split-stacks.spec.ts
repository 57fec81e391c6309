import { makePlane, makeSlice, makeStack, type MadeFacts } from '../../../../test/fixtures/make-dicom-facts.js';
import { onlyRefusal, onlyVolume, slicesOf, volumesOf } from '../../../../test/fixtures/read-assembly.js';
import { assembleSeries } from './assemble-series.js';
import type { DicomFacts } from './dicom-facts.js';

/** Three slices at each of several time points; `changes` says what the headers tell of them. */
function makeSeries(times: number, changes: (time: number, slice: number) => MadeFacts, slices = 3): DicomFacts[] {
  const stacks = Array.from({ length: times }, (_, time) => makeStack(slices, (slice) => changes(time, slice), `t${time}`));
  return stacks.flat().reverse();
}

const FRAMES_OF_THREE = ['t0s0 t0s1 t0s2', 't1s0 t1s1 t1s2', 't2s0 t2s1 t2s2'];

describe('several images at each place', () => {
  it.each<[string, (time: number, slice: number) => MadeFacts]>([
    ['temporal position', (time) => ({ temporalPosition: time + 1, instanceNumber: 1 })],
    ['trigger time', (time, slice) => ({ triggerTimeMs: 40 * time + slice, instanceNumber: 9 - time })],
    ['echo time', (time) => ({ echoTimeMs: [2.3, 4.6, 12][time], acquisitionTimeS: 9 - time })],
    ['echo number', (time) => ({ echoNumber: time + 1 })],
    ['b-value', (time) => ({ bValue: [0, 500, 1000][time], acquisitionNumber: 9 - time })],
    ['acquisition number', (time) => ({ acquisitionNumber: time + 4, instanceNumber: 9 - time })],
    ['acquisition time', (time, slice) => ({ acquisitionNumber: 1, acquisitionTimeS: 36000 + 3 * slice + time })],
    ['content time', (time, slice) => ({ contentTimeS: 36000 + 0.5 * time + 0.01 * slice })],
    ['instance number', (time, slice) => ({ acquisitionNumber: 1, instanceNumber: 200 * slice + time })],
  ])('are frames told apart by %s', (name, changes) => {
    const volume = onlyVolume(makeSeries(3, (time, slice) => ({ instanceNumber: undefined, ...changes(time, slice) })));
    expect(volume.frames.map((frame) => slicesOf(frame).join(' '))).toEqual(FRAMES_OF_THREE);
    expect(volume).toMatchObject({ status: 'ok', header: { geometry: { frames: 3 } } });
    expect(volume.header.remarks).toEqual([`3 volumes, told apart by ${name}`]);
  });

  it('takes echoes at several times by both', () => {
    const files = makeSeries(4, (time) => ({
      temporalPosition: 1 + (time >> 1),
      echoTimeMs: time % 2 === 0 ? 2 : 5,
      instanceNumber: 9 - time,
    }));
    const volume = onlyVolume(files);
    expect(volume.header.remarks).toEqual(['4 volumes, told apart by temporal position and echo time']);
    expect(volume.frames.map((frame) => slicesOf(frame)[0])).toEqual(['t0s0', 't1s0', 't2s0', 't3s0']);
  });

  it('does not trust a field that differs between slices: only its order counts', () => {
    const files = makeSeries(2, (time, slice) => ({ echoTimeMs: 3 + slice + 10 * time, acquisitionNumber: 1 + time }));
    expect(onlyVolume(files).header.remarks).toEqual(['2 volumes, told apart by acquisition number']);
  });

  it('prove the spacing of two slices', () => {
    const files = makeSeries(4, (time, slice) => ({ instanceNumber: 50 + 200 * slice + time }), 2);
    expect(onlyVolume(files)).toMatchObject({ status: 'ok', header: { geometry: { sizeVoxels: [8, 6, 2], frames: 4 } } });
  });

  it('are refused when nothing tells them apart', () => {
    const files = makeSeries(2, () => ({ instanceNumber: undefined }));
    expect(onlyRefusal(files).reason).toBe('each place is there 2 times, and no header field tells these images apart');
  });

  it('are refused when one is missing', () => {
    const files = makeSeries(3, (time) => ({ triggerTimeMs: time })).filter(({ path }) => !path.includes('t1s2'));
    expect(onlyRefusal(files).reason).toBe('its places hold different numbers of images (2 to 3; more at 0 mm, 2 mm)');
  });

  it('read a multi-frame file by its dimensions, number by number', () => {
    const planes = Array.from({ length: 12 }, (_, frame) =>
      makePlane([0, 0, 2 * Math.floor(frame / 4)], { frame, dimensionKey: `${12 - 3 * (frame % 4)}` }),
    );
    const { frames } = onlyVolume([makeSlice('multi', 0, { planes })]);
    expect(frames.map((placed) => placed.map(({ plane }) => plane.frame))).toEqual([
      [3, 7, 11],
      [2, 6, 10],
      [1, 5, 9],
      [0, 4, 8],
    ]);
  });

  it('read mosaics in the order of their acquisitions', () => {
    const mosaic = (time: number): DicomFacts =>
      makeSlice(`m${time}`, 0, {
        planes: [0, 1, 2, 3, 4, 5, 6].map((tile) => makePlane([0, 0, 3 * tile], { tile: [tile % 3, Math.floor(tile / 3)] })),
        ...{ imageType: ['ORIGINAL', 'PRIMARY', 'M', 'MOSAIC'], acquisitionNumber: time, instanceNumber: 5 - time },
        pixels: { rows: 18, columns: 24 },
      });
    const volume = onlyVolume([mosaic(2), mosaic(1)]);
    expect(volume).toMatchObject({ status: 'ok', header: { geometry: { sizeVoxels: [8, 6, 7], frames: 2 } } });
    expect(slicesOf(volume.frames[0] ?? [])).toEqual(Array.from({ length: 7 }, () => 'm1'));
  });
});

describe('a series that holds several volumes', () => {
  it('is not torn apart by times that differ from slice to slice', () => {
    const files = makeStack(8, (slice) => ({
      acquisitionTimeS: 100 + slice,
      contentTimeS: 300 - slice,
      acquisitionNumber: slice >> 2,
      echoTimeMs: 3,
    }));
    expect(onlyVolume(files).status).toBe('ok');
  });

  it('parts a slice that is turned from the rest', () => {
    const files = makeStack(6).map((facts, slice) => {
      const turned = makePlane([0, 0, 2 * slice], {
        rowDirection: [Math.cos(0.1), Math.sin(0.1), 0],
        columnDirection: [-Math.sin(0.1), Math.cos(0.1), 0],
      });
      return slice === 5 ? { ...facts, planes: [turned] } : facts;
    });
    expect(assembleSeries(files).stacks.map(({ status, files: { length } }) => [status, length])).toEqual([
      ['reported', 5],
      ['refused', 1],
    ]);
    expect(volumesOf(files)[0]?.reason).toMatch(/^its series holds several volumes, told apart by orientation/);
  });

  it('refuses a pair of slices that remains, unless its header proves them to be neighbours', () => {
    const large = (spacingBetweenSlicesMm: number | undefined) =>
      makeStack(2, () => ({ spacingBetweenSlicesMm, pixels: { planeRows: 12, rows: 12 } }), 'l');
    expect(assembleSeries([...makeStack(5), ...large(undefined)]).stacks.map(({ status }) => status)).toEqual([
      'reported',
      'refused',
    ]);
    expect(volumesOf([...makeStack(5), ...large(2)])).toHaveLength(2);
  });

  it('parts localizers and leaves the scan as it is', () => {
    const localizer = makeStack(3, () => ({ imageType: ['ORIGINAL', 'PRIMARY', 'LOCALIZER'] }), 'l');
    expect(assembleSeries([...localizer, ...makeStack(6)]).stacks.map(({ status, reason }) => [status, reason])).toEqual([
      ['ok', undefined],
      ['reported', 'it is a localizer'],
    ]);
  });

  it('parts magnitude from phase, and other sizes', () => {
    const phase = makeStack(4, () => ({ imageType: ['ORIGINAL', 'PRIMARY', 'P'] }), 'p');
    const large = makeStack(5, () => ({ pixels: { planeRows: 12, rows: 12 } }), 'l');
    const volumes = volumesOf([...phase, ...makeStack(4), ...large]);
    expect(volumes.map(({ frames }) => [frames.length, slicesOf(frames[0] ?? [])[0]])).toEqual([
      [1, 'ls0'],
      [1, 'ps0'],
      [1, 's0'],
    ]);
    expect(volumes.map(({ reason }) => /told apart by ([^;]*)/.exec(reason ?? '')?.[1])).toEqual([
      'size',
      'size and image type',
      'size and image type',
    ]);
  });

  it('parts overlapping acquisitions that are even each by itself, and refuses them otherwise', () => {
    const low = makeStack(4, () => ({ acquisitionNumber: 1 }), 'a');
    const high = makeStack(4, (slice) => ({ acquisitionNumber: 2, plane: { position: [-10, -20, 5 + 2 * slice] } }), 'b');
    expect(volumesOf([...low, ...high]).map(({ frames }) => slicesOf(frames[0] ?? [])[0])).toEqual(['as0', 'bs0']);
    expect(onlyRefusal([...low.slice(0, 2), ...high.slice(0, 2)]).reason).toMatch(/evenly spaced/);
  });

  it('never mixes series, examinations or patients', () => {
    const first = makeStack(4);
    for (const other of [{ patientId: 'P2' }, { examinationInstance: '1.8' }, { seriesInstance: '1.7' }]) {
      const second = makeStack(4, (slice) => ({ ...other, plane: { position: [-10, -20, 8 + 2 * slice] } }), 'o');
      expect(volumesOf([...second, ...first]).map(({ files }) => files.length)).toEqual([4, 4]);
    }
  });

  it('lists stacks in an order that file names do not change', () => {
    const axial = makeStack(5, () => ({ pixels: { planeRows: 12, rows: 12 } }), 'x');
    const renamed = axial.map((facts, index) => ({ ...facts, path: `/elsewhere/${9 - index}` }));
    const sizes = (files: readonly DicomFacts[]) => volumesOf(files).map(({ grid }) => grid.sizeVoxels);
    expect(sizes([...renamed, ...makeStack(5)])).toEqual(sizes([...makeStack(5), ...axial].reverse()));
  });

  it('refuses slices that all look another way in one line, and takes no longer for very many', () => {
    const turned = makeStack(4000, (slice) => {
      const [c, s] = [Math.cos(slice / 300), Math.sin(slice / 300)];
      return { plane: { rowDirection: [c, s, 0], columnDirection: [-s, c, 0] } };
    });
    const { stacks } = assembleSeries(turned);
    expect(stacks.map(({ status, reason }) => [status, reason])).toEqual([
      ['refused', 'it holds a single slice, which is no volume'],
    ]);
  });
});
