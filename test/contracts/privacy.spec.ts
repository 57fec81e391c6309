import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IDENTIFYING_TAGS } from '../../site-agent/src/volumes/dicom/dicom-identity.js';
import { makeDicomSlice, type MadeElement, type MadeSlice } from '../fixtures/make-dicom.js';
import { makeNifti, makePhantom } from '../fixtures/make-volume.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
/** In every planted value, so that one search finds them all; UIDs hold the number instead. */
const MARK = 'Zqx';
const UID_MARK = '1.2.826.0.77377';
const PATIENT = `${MARK}4711`;

/** A value that identifies a person for each attribute that can hold one, in sequences and private elements too. */
function planted(uid: string): MadeElement[] {
  const named = [...IDENTIFYING_TAGS].filter(([, name]) => !name.endsWith('Sequence'));
  return [
    ...named.map(([tag, name], index): MadeElement => ({ tag, vr: 'LO', value: `${MARK}${index}^${name.slice(0, 12)}` })),
    { tag: 0x00100020, vr: 'LO', value: PATIENT },
    { tag: 0x00100030, vr: 'DA', value: '19370712' },
    { tag: 0x00080018, vr: 'UI', value: `${UID_MARK}.1.${uid}` },
    { tag: 0x0020000d, vr: 'UI', value: `${UID_MARK}.2` },
    { tag: 0x00200052, vr: 'UI', value: `${UID_MARK}.3` },
    { tag: 0x00081030, vr: 'LO', value: `${MARK} study description` },
    { tag: 0x0008103e, vr: 'LO', value: `${MARK} series description` },
    { tag: 0x00204000, vr: 'LT', value: `${MARK} image comments` },
    { tag: 0x00290010, vr: 'LO', value: `${MARK} PRIVATE` },
    { tag: 0x00291001, vr: 'LO', value: `${MARK} private` },
    { tag: 0x00101002, vr: 'SQ', value: [[{ tag: 0x00100020, vr: 'LO', value: `${MARK}other` }]] },
    { tag: 0x00400275, vr: 'SQ', value: [[{ tag: 0x00400007, vr: 'LO', value: `${MARK} step` }]], delimited: true },
  ];
}

interface MadeFolder {
  readonly count?: number;
  readonly cut?: number;
  readonly change?: Partial<MadeSlice>;
}

function writeSeries(folder: string, number: number, { count = 9, cut = 1, change = {} }: MadeFolder = {}): void {
  mkdirSync(folder, { recursive: true });
  for (let slice = 0; slice < count; slice++) {
    const pixels = Int16Array.from({ length: 144 }, (_, i) => ((i * 37 + slice * 101 + number) % 1500) - 500);
    const series = `${UID_MARK}.4.${number}`;
    const { elements = [] } = change;
    const own = planted(`${number}.${slice}`).filter(({ tag }) => !elements.some((element) => element.tag === tag));
    const made = { columns: 12, rows: 12, pixels, series, instance: slice + 1, ...change, elements: [...own, ...elements] };
    const file = makeDicomSlice(made);
    writeFileSync(join(folder, `${slice}.dcm`), file.subarray(0, Math.floor(file.length * cut)));
  }
}

/** NIfTI headers have room for text too, and for whole DICOM headers behind them. */
function writeNamedNifti(path: string, broken: boolean): void {
  const file = makeNifti(makePhantom('a', 'MR'));
  file.write(`${MARK}^db name`, 14, 'latin1');
  file.write(`${MARK}^description`, 148, 'latin1');
  file.write(`${MARK}^aux file`, 228, 'latin1');
  file.write(`${MARK}^intent`, 328, 'latin1');
  writeFileSync(path, broken ? file.subarray(0, 5000) : file);
}

describe('what identifies a patient', () => {
  let folder: string;
  const said: string[] = [];
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'privacy-'));
    const scans = join(folder, 'scans');
    writeSeries(join(scans, 'good'), 1);
    writeSeries(join(scans, 'copy'), 1);
    writeSeries(join(scans, 'cut'), 2, { cut: 0.9 });
    writeSeries(join(scans, 'cut-early'), 3, { cut: 0.3 });
    writeSeries(join(scans, 'single'), 4, { count: 1 });
    writeSeries(join(scans, 'unknown-syntax'), 5, { change: { transferSyntax: '1.2.840.10008.1.2.4.999' } });
    writeSeries(join(scans, 'odd-modality'), 6, {
      change: { elements: [{ tag: 0x00080060, vr: 'CS', value: `${MARK} NAME` }] },
    });
    writeSeries(join(scans, 'odd-part'), 7, { change: { elements: [{ tag: 0x00180015, vr: 'CS', value: `${MARK}^JOHN` }] } });
    writeSeries(join(scans, 'no-place'), 8, { change: { without: [0x00200032] } });
    writeSeries(join(scans, 'same-place'), 9, { change: { position: [0, 0, 0] } });
    writeSeries(join(scans, 'odd-numbers'), 10, {
      change: { elements: [{ tag: 0x00200032, vr: 'DS', value: `${MARK}\\0\\0` }] },
    });
    writeSeries(join(scans, 'odd-syntax'), 11, { change: { transferSyntax: `${UID_MARK}.99` } });
    writeSeries(join(scans, 'odd-colours'), 12, {
      change: { elements: [{ tag: 0x00280004, vr: 'CS', value: `${MARK} JOHN` }] },
    });
    writeSeries(join(scans, 'odd-type'), 13, { change: { elements: [{ tag: 0x00080008, vr: 'CS', value: `${MARK}\\JOHN` }] } });
    writeNamedNifti(join(scans, 'named.nii'), false);
    writeNamedNifti(join(scans, 'named-broken.nii'), true);
    writeFileSync(join(scans, 'collection.yaml'), `patients: {"named*": ${MARK}4712}\n`);
    agent('index', scans, '--headers-only');
    agent('index', scans);
    agent('index', '--json');
    agent('index', '--report');
    agent('preprocess');
    const told = readdirSync(scans).filter((name) => /^(odd|named|cut)/.test(name));
    for (const name of told) agent('convert', join(scans, name), join(folder, 'site', `${name}.nii.gz`));
    agent('convert', join(scans, 'good'), join(folder, 'site', 'plain.nii'));
    agent('index', '--verbose');
    agent('forget', '--patient', PATIENT);
    agent('index', '--json');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function agent(...words: string[]): void {
    const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, '--home', join(folder, 'site'), ...words], {
      encoding: 'utf8',
      timeout: 30_000,
    });
    said.push(stdout, stderr);
  }

  const files = (): string[] => readdirSync(join(folder, 'site'), { recursive: true, encoding: 'utf8' });

  it('is printed by no command, nor told by any reason', () => {
    const lines = said.join('\n').split('\n');
    expect(lines.length).toBeGreaterThan(100);
    expect(said.join('\n')).toContain('identifying DICOM attributes hold values: AccessionNumber');
    expect(lines.filter((line) => hasMark(Buffer.from(line)))).toEqual([]);
  });

  it('is in no file of the site: database, report, prepared and converted volumes', () => {
    const names = files().filter((name) => statSync(join(folder, 'site', name)).isFile());
    for (const kind of ['site.sqlite', '.html', '.voxels', '.nii.gz', '.nii']) {
      expect(names.some((name) => name.endsWith(kind))).toBe(true);
    }
    expect(names.filter((name) => hasMark(readFileSync(join(folder, 'site', name))))).toEqual([]);
  });

  it('is behind permissions: the site’s own files are for their owner only', () => {
    const open = files().filter((name) => (statSync(join(folder, 'site', name)).mode & 0o077) !== 0);
    expect(open.filter((name) => !/\.nii(\.gz)?$/.test(name))).toEqual([]); // where those go, the user said
    expect(statSync(join(folder, 'site')).mode & 0o777).toBe(0o700);
  });
});

function hasMark(bytes: Buffer): boolean {
  const text = bytes.toString('latin1');
  return text.toLowerCase().includes(MARK.toLowerCase()) || text.includes(UID_MARK) || text.includes('19370712');
}
