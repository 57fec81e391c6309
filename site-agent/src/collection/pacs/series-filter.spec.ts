import { type ArchivedSeries, judgeSeries, readCodes, readDate, type SeriesFilter } from './series-filter.js';

const ALL: SeriesFilter = { modalities: [], bodyParts: [], from: undefined, to: undefined };
const HEAD: ArchivedSeries = {
  examination: '1',
  series: '1.1',
  modality: 'CT',
  bodyPart: 'HEAD',
  date: '20240131',
  patientId: undefined,
  instances: undefined,
};

describe('judgeSeries', () => {
  it.each([
    [{}, 'wanted'],
    [{ modalities: ['CT', 'MR'] }, 'wanted'],
    [{ modalities: ['MR'] }, 'unwanted'],
    [{ bodyParts: ['HEAD'] }, 'wanted'],
    [{ bodyParts: ['CHEST', 'HE*'] }, 'wanted'],
    [{ bodyParts: ['*A*'] }, 'wanted'],
    [{ bodyParts: ['HEADNECK', 'HEA', 'EAD', 'H*E*E*D', 'HEAD*D'] }, 'unwanted'],
    [{ from: '20240131', to: '20240131' }, 'wanted'],
    [{ from: '20240201' }, 'unwanted'],
    [{ to: '20240130' }, 'unwanted'],
  ] as const)('%j: %s', (filter, verdict) => {
    expect(judgeSeries(HEAD, { ...ALL, ...filter })).toBe(verdict);
  });

  it('asks for what is not stated, unless something else decides', () => {
    const silent = { ...HEAD, bodyPart: undefined, date: undefined };
    expect(judgeSeries(silent, ALL)).toBe('wanted');
    expect(judgeSeries(silent, { ...ALL, bodyParts: ['HEAD'] })).toBe('unstated');
    expect(judgeSeries(silent, { ...ALL, from: '20200101' })).toBe('unstated');
    expect(judgeSeries(silent, { ...ALL, from: '20200101', modalities: ['MR'] })).toBe('unwanted');
  });

  it('takes the spellings of a body part for one', () => {
    const filter = { ...ALL, bodyParts: ['HEAD_NECK'] };
    for (const bodyPart of ['HEADNECK', 'Head Neck', 'HEAD-NECK'])
      expect(judgeSeries({ ...HEAD, bodyPart }, filter)).toBe('wanted');
  });
});

describe('readDate and readCodes', () => {
  it('reads days and lists', () => {
    expect([readDate('--pacs-from', '2024-02-29'), readDate('--pacs-from', '20241231')]).toEqual(['20240229', '20241231']);
    expect(readCodes('--pacs-modality', ' ct,MR,,ct ')).toEqual(['CT', 'MR']);
  });

  it.each(['2023-02-29', '2024-13-01', '24-01-01', 'today', ''])('refuses the date "%s"', (text) => {
    expect(() => readDate('--pacs-from', text)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
  });

  it.each(['', ',', 'HEAD&limit=1', 'HEAD/..'])('refuses the list "%s"', (text) => {
    expect(() => readCodes('--pacs-body-part', text)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
  });
});
