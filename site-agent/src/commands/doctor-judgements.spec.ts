import { judgeClock, type ClockFacts, dateOf } from './doctor-clock.js';
import { judgeData, type DataFacts } from './doctor-data.js';
import { judgeCertificate } from './doctor-line.js';
import { judgeSharedMemory } from './doctor-memory.js';
import { judgeUpload, updateSizeOf } from './doctor-upload.js';

const DAY_MS = 86_400_000;

describe('what the doctor says about the clock', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');
  const facts = (aheadMs: number, changes: Partial<ClockFacts> = {}): ClockFacts => {
    const coordinatorMs = Math.floor((nowMs - aheadMs) / 1000) * 1000;
    return {
      coordinatorMs,
      askedAtMs: nowMs - 20,
      answeredAtMs: nowMs + 20,
      timeZone: 'Europe/Zurich',
      hasHours: false,
      ...changes,
    };
  };

  it('finds no fault in seconds, and none in what the answer cannot tell', () => {
    expect(judgeClock(facts(0))).toEqual({ name: 'clock', status: 'ok', finding: 'agrees with the coordinator’s' });
    expect(judgeClock(facts(9_000)).finding).toMatch(/^[89]\.\d s ahead of .* no harm$/);
    expect(judgeClock(facts(70_000, { askedAtMs: nowMs - 80_000, answeredAtMs: nowMs + 80_000 })).status).toBe('ok');
  });

  it.each([
    [3_600_000, '1 h 0 min ahead of'],
    [-2 * DAY_MS, '48 h 0 min behind'],
  ])('says how far off %d ms are, and what follows', (aheadMs, words) => {
    const check = judgeClock(facts(aheadMs));
    expect(check).toMatchObject({ status: 'warning', finding: expect.stringContaining(words) as string });
    expect(check.remedy).toMatch(/times in its logs.*identity go on.*timedatectl set-ntp/);
    expect(check.code).toBeUndefined();
  });

  it('names the time zone where hours count by it', () => {
    expect(judgeClock(facts(0, { hasHours: true, timeZone: 'UTC' })).finding).toContain('in the time zone UTC');
    expect(judgeClock(facts(DAY_MS, { hasHours: true })).remedy).toContain('hours of this site begin and end');
  });

  it('reads a date, or none', () => {
    expect(dateOf('Sun, 01 Mar 2026 12:00:00 GMT')).toBe(nowMs);
    expect([dateOf(undefined), dateOf('soon')]).toEqual([undefined, undefined]);
  });
});

describe('what the doctor says about shared memory', () => {
  const GIB = 2 ** 30;
  const judge = (bytes: number, freeBytes: number): ReturnType<typeof judgeSharedMemory> =>
    judgeSharedMemory({ folder: { bytes, freeBytes }, memoryBytes: 16 * GIB, threadsShare: true });

  it('finds no fault in a container’s 64 MiB, for training needs none of them', () => {
    expect(judge(2 ** 26, 2 ** 26)).toMatchObject({
      status: 'ok',
      finding: expect.stringContaining('needs none of it') as string,
    });
    expect(judge(2 ** 26, 0).status).toBe('ok');
    expect(judgeSharedMemory({ folder: undefined, memoryBytes: GIB, threadsShare: true }).status).toBe('ok');
  });

  it('tells of memory that files there take, and of a limit that training would meet', () => {
    expect(judge(8 * GIB, 5 * GIB)).toMatchObject({ status: 'warning', remedy: expect.stringContaining('--shm-size') as string });
    expect(judgeSharedMemory({ folder: undefined, memoryBytes: GIB, threadsShare: false })).toMatchObject({
      status: 'failed',
      code: 'OUT_OF_MEMORY',
    });
  });
});

describe('what the doctor says about uploads', () => {
  it('says how long an update of the largest campaign under way takes, else of the published network', () => {
    const version = (bytes: number) => [{ bytes }] as unknown as Parameters<typeof updateSizeOf>[0][number]['versions'];
    const campaigns = [
      { id: 'c1', name: 'old', state: 'finished' as const, versions: version(9e9) },
      { id: 'c2', name: 'small', state: 'active' as const, versions: version(1e6) },
      { id: 'c3', name: 'chest', state: 'active' as const, versions: version(2e6) },
    ];
    expect(updateSizeOf(campaigns)).toEqual({ of: 'chest', bytes: 2e6 });
    expect(updateSizeOf([])).toEqual({ of: 'the published network (19,073,665 parameters)', bytes: 76_294_660 });
  });

  it('warns of a line on which an update may miss its round', () => {
    const judge = (bytesPerSecond: number, limit?: number): ReturnType<typeof judgeUpload> =>
      judgeUpload({ bytesPerSecond, bytes: 2 ** 20, tookMs: 1000 }, updateSizeOf([]), limit);
    expect(judge(1e6)).toMatchObject({ status: 'ok', finding: expect.stringContaining('takes 1 min 16 s') as string });
    expect(judge(5e4)).toMatchObject({ status: 'warning', finding: expect.stringContaining('takes 25 min') as string });
    expect(judge(64_000, 64_000).remedy).toContain('Raise uploadLimit');
  });
});

describe('what the doctor says about the certificate', () => {
  const nowMs = Date.parse('2026-03-01T12:00:00Z');
  const judge = (authority: string, isPublic: boolean, namesAuthority = false, days = 90): ReturnType<typeof judgeCertificate> =>
    judgeCertificate(
      { authority, issuers: ['R3', authority], isPublic, validUntilMs: nowMs + days * DAY_MS },
      namesAuthority,
      nowMs,
    );

  it('tells a public authority, an institution’s own, and one that opens TLS on the way', () => {
    expect(judge('ISRG Root X1', true).status).toBe('ok');
    expect(judge('Hospital Root', false, true)).toMatchObject({
      status: 'ok',
      finding: expect.stringContaining('not a public') as string,
    });
    expect(judge('Hospital Root', false).status).toBe('warning');
    const opened = judge('FortiGate CA', false, true);
    expect(opened).toMatchObject({ status: 'warning', finding: expect.stringContaining('opens TLS on the way') as string });
    expect(opened.remedy).toContain('never a scan');
  });

  it('tells of an end that is near', () => {
    expect(judge('ISRG Root X1', true, false, 3)).toMatchObject({
      status: 'warning',
      finding: expect.stringContaining('3 days') as string,
    });
    expect(judge('ISRG Root X1', true, false, -1).finding).toContain('no longer valid by this computer’s clock');
  });
});

describe('what the doctor says about scans', () => {
  const seen = { files: 10, nifti: 6, dicom: 4, series: 2, unreadable: {}, changed: 0, closed: 0, isWhole: true };
  const index = { usable: 8, scans: 8, unchecked: 0, refusedByCode: {} };
  const statuses = (facts: Partial<DataFacts>): string[] =>
    judgeData({ folders: 1, seen, index, ...facts }).map(
      ({ name, status, code }) => `${name} ${status}${code === undefined ? '' : ` ${code}`}`,
    );

  it('is content with scans that read and an index that knows them', () => {
    expect(judgeData({ folders: 1, seen, index })).toEqual([
      { name: 'scans', status: 'ok', finding: '6 NIfTI files and 2 DICOM series (4 files) among 10 files' },
      { name: 'index', status: 'ok', finding: '8 usable volumes of 8 scans, up to date' },
    ]);
  });

  it.each<[string, Partial<DataFacts>, string[]]>([
    ['nothing indexed', { folders: 0, index: undefined }, ['scans warning']],
    ['no index yet', { index: undefined }, ['scans ok', 'index warning']],
    [
      'a dead folder',
      { seen: { ...seen, files: 0, nifti: 0, dicom: 0, closed: 1 } },
      ['scans failed FOLDER_MISSING', 'index ok'],
    ],
    ['no scan', { seen: { ...seen, nifti: 0, dicom: 0 } }, ['scans failed COLLECTION_EMPTY', 'index ok']],
    ['none among the first', { seen: { ...seen, nifti: 0, dicom: 0, isWhole: false } }, ['scans warning', 'index ok']],
    ['damaged ones', { seen: { ...seen, unreadable: { VOLUME_UNREADABLE: 2 } } }, ['scans warning', 'index ok']],
    ['new ones', { seen: { ...seen, changed: 3 } }, ['scans ok', 'index warning']],
    ['headers only', { index: { ...index, usable: 0, unchecked: 8 } }, ['scans ok', 'index warning']],
    [
      'none usable',
      { index: { ...index, usable: 0, refusedByCode: { VOLUME_UNSUITABLE: 8 } } },
      ['scans ok', 'index failed COLLECTION_EMPTY'],
    ],
  ])('tells of %s', (_what, facts, expected) => {
    expect(statuses(facts)).toEqual(expected);
    for (const check of judgeData({ folders: 1, seen, index, ...facts }))
      expect(check.status === 'ok' || check.remedy !== undefined).toBe(true);
  });
});
