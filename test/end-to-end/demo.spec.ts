import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DemoSummary } from '../../deploy/src/demo/summary.js';
import { readSafetensors } from '../../shared/src/weights/index.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { waitFor } from './federation-rig.js';

const DEMO = join(PROJECT_ROOT, 'deploy/dist/demo/main.js');

interface StartedDemo {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly status: Promise<number | null>;
}

function startDemo(output: string, ...args: string[]): StartedDemo {
  const child = spawn(process.execPath, [DEMO, '--output', output, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  return { child, said: () => text, status: new Promise((settle) => child.once('close', settle)) };
}

/** Command lines of living processes that name the folder. */
function processesOf(folder: string): string[] {
  return execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(folder));
}

describe('the demonstration', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'consilium-demo-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

  it('runs the whole path on the real scans and writes down what happened', async () => {
    const output = join(folder, 'out');
    const demo = startDemo(output, '--rounds', '1', '--steps', '2', '--finetune-steps', '2');
    expect(`${await demo.status}\n${demo.said()}`).toMatch(/^0\n/);
    const summary = JSON.parse(readFileSync(join(output, 'summary.json'), 'utf8')) as DemoSummary;
    const hospitals = ['hospital-a', 'hospital-b', 'hospital-c'];
    expect(Object.keys(summary.federation.start.sites).sort()).toEqual(hospitals);
    expect(summary.federation.rounds).toHaveLength(1);
    for (const round of summary.federation.rounds) {
      expect([...round.participants].sort()).toEqual(hospitals);
      expect(Object.keys(round.sites).sort()).toEqual(hospitals);
      expect(round.versionDigest).toMatch(/^blake3:/);
      for (const { restorationError, skill } of Object.values(round.sites)) {
        expect(restorationError).toBeGreaterThan(0);
        expect(skill).toBeLessThan(1);
      }
    }
    expect(summary.finetuning).toMatchObject({ site: 'hospital-a', labelledCases: 10, heldOutCases: 12 });
    for (const outcome of [summary.finetuning.pretrained, summary.finetuning.scratch]) {
      const dice = Object.values(outcome.dicePerCase);
      expect(dice).toHaveLength(12);
      expect(outcome.meanDice).toBeCloseTo(dice.reduce((sum, value) => sum + value, 0) / dice.length, 6);
    }
    expect(summary.paths.masks).toHaveLength(12);
    for (const mask of summary.paths.masks) expect(statSync(mask).size).toBeGreaterThan(100);
    const { weights } = await readSafetensors(summary.paths.exportedModel);
    expect(weights.reduce((sum, { values }) => sum + values.length, 0)).toBe(1_193_761);
    expect(readdirSync(summary.paths.logs)).toContain('coordinator.log');
    expect(processesOf(output)).toEqual([]);
  }, 300_000);

  it('stops everything on Ctrl-C and leaves no process behind', async () => {
    const output = join(folder, 'out');
    const demo = startDemo(output, '--fast');
    await waitFor('the first round', async () => /round 1 of 2: hospitals are invited/.test(demo.said()), demo.said, 120_000);
    expect(processesOf(output).length).toBeGreaterThan(3);
    demo.child.kill('SIGINT');
    expect(await demo.status).toBe(130);
    expect(demo.said()).toContain('nothing is running any more');
    expect(processesOf(output)).toEqual([]);
  }, 180_000);

  it('stops everything when its terminal is closed', async () => {
    const output = join(folder, 'out');
    const demo = startDemo(output, '--fast');
    await waitFor('the coordinator', async () => demo.said().includes('coordinator listens'), demo.said, 60_000);
    demo.child.stdout?.destroy();
    demo.child.stderr?.destroy();
    expect(await demo.status).toBe(130);
    expect(processesOf(output)).toEqual([]);
  }, 120_000);

  it('leaves a folder alone that is not its own', async () => {
    writeFileSync(join(folder, 'thesis.txt'), 'precious');
    const demo = startDemo(folder, '--fast');
    expect(await demo.status).toBe(2);
    expect(demo.said()).toContain('ARGUMENT_INVALID');
    expect(existsSync(join(folder, 'thesis.txt'))).toBe(true);
  });
});
