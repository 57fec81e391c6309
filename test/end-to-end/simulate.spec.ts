import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const PROGRAM = join(PROJECT_ROOT, 'deploy/dist/simulate/main.js');

/** All six must deliver in every round, however long it takes. */
const ALL_OF_SIX = ['--sites', '6', '--rounds', '3', '--quorum', '6', '--grace', '10min', '--training', '300ms'];

const TRACE = [
  { site: 'site-0001', fromSeconds: 0.2, untilSeconds: 2, kind: 'cut' },
  { site: 'site-0002', fromSeconds: 0, untilSeconds: 600, kind: 'slow', factor: 6 },
  { site: 'site-0003', fromSeconds: 0.4, untilSeconds: 1.5, kind: 'kill' },
];

interface Summary {
  readonly state: string;
  readonly digest: string;
  readonly rounds: readonly { readonly delivered: number }[];
  readonly uploadedBytes: number;
}

describe('npm run simulate', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'simulate-spec-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function simulate(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', timeout: 150_000 });
  }

  function summaryOf(...args: string[]): Summary {
    const file = join(folder, 'summary.json');
    const { status, stdout, stderr } = simulate(...args, '--json', file);
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
    return JSON.parse(readFileSync(file, 'utf8')) as Summary;
  }

  it('gives the same model whether sites were cut off, slow or killed, as long as all deliver', () => {
    const [trace, record] = [join(folder, 'trace.json'), join(folder, 'record.yaml')];
    writeFileSync(trace, JSON.stringify(TRACE));
    const calm = summaryOf(...ALL_OF_SIX);
    const disturbed = summaryOf(...ALL_OF_SIX, '--trace', trace, '--record', record);
    for (const { state, rounds } of [calm, disturbed]) {
      expect(state).toBe('finished');
      expect(rounds.map(({ delivered }) => delivered)).toEqual([6, 6, 6]);
    }
    expect(disturbed.digest).toBe(calm.digest);
    expect(disturbed.uploadedBytes).toBeGreaterThanOrEqual(calm.uploadedBytes);
    const recorded = parse(readFileSync(record, 'utf8')) as unknown[];
    expect(recorded).toEqual(expect.arrayContaining([TRACE[0], TRACE[2]]));
    expect(recorded).toContainEqual(expect.objectContaining({ site: 'site-0002', kind: 'slow', factor: 6 }));
  }, 320_000);

  it('says what is wrong with its arguments before it starts anything', () => {
    const { status, stdout, stderr } = simulate('--recipe', 'alchemy', '--sites', '2');
    expect(status).toBe(2);
    expect(stderr).toContain('recipe');
    expect(stdout).toBe('');
  });
});
