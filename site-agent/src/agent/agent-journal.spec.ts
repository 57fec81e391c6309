import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { digestOfBytes } from '@consilium/shared/kernel';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import {
  makeProbeScore,
  makeScoreAssignment,
  makeTrainAssignment,
  makeUpdateReport,
} from '../../../test/fixtures/make-assignment.js';
import { AgentJournal } from './agent-journal.js';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'));
  file = join(folder, 'home', 'site.sqlite');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('agent journal', () => {
  it('keeps a participation over a restart, change by change', () => {
    const { participationId, plan, planDigest } = makeTrainAssignment();
    let journal = AgentJournal.open(file);
    journal.invite(participationId, plan, planDigest);
    journal.change(participationId, { phase: 'accepted', trainerFailures: 2 });
    journal.invite(participationId, plan, planDigest); // a doubled invitation changes nothing
    journal.close();
    journal = AgentJournal.open(file);
    expect(journal.openParticipation()).toEqual({
      participationId,
      plan,
      planDigest,
      phase: 'accepted',
      trainerFailures: 2,
      update: undefined,
      uploadId: undefined,
      code: undefined,
    });
    const update = { path: 'p', digest: digestOfBytes('u'), bytes: 3, report: makeUpdateReport() };
    journal.change(participationId, { phase: 'trained', update, uploadId: 'upload_1' });
    journal.change(participationId, { uploadId: undefined });
    expect(journal.participation(participationId)).toMatchObject({ phase: 'trained', update, uploadId: undefined });
    journal.closeParticipation(participationId, 'ROUND_CLOSED');
    expect(journal.openParticipation()).toBeUndefined();
    expect(journal.participation(participationId)).toMatchObject({ phase: 'closed', code: 'ROUND_CLOSED' });
    journal.close();
  });

  it('keeps scores and versions', () => {
    const { plan } = makeScoreAssignment(2);
    const journal = AgentJournal.open(file);
    expect(journal.score(plan.campaignId, plan.version.digest)).toBeUndefined();
    const score = makeProbeScore();
    journal.noteScore(plan, { score });
    expect(journal.score(plan.campaignId, plan.version.digest)).toEqual({ plan, score, reported: false });
    const monitors = { patches: 4, restoration: [], scaleAccuracy: 0.5, featureRank: 2 };
    journal.noteScore(plan, { score, monitors });
    expect(journal.score(plan.campaignId, plan.version.digest)).toEqual({ plan, score, monitors, reported: false });
    expect(journal.scoreOfVersion(plan.version.digest)).toEqual(score);
    journal.noteScoreReported(plan.campaignId, plan.version.digest);
    expect(journal.score(plan.campaignId, plan.version.digest)?.reported).toBe(true);
    journal.noteVersion('tiny', plan.version, 5);
    journal.noteVersion('tiny', { ...plan.version, number: 3 }, 6);
    expect(journal.versions().map(({ number, campaignName }) => [number, campaignName])).toEqual([
      [3, 'tiny'],
      [2, 'tiny'],
    ]);
    journal.close();
  });

  it('keeps what it notes after another process’s lock has kept it from noting something else', () => {
    const { participationId, plan, planDigest } = makeTrainAssignment();
    AgentJournal.open(file).close();
    const [impatient, others] = [new Database(file, { timeout: 10 }), new Database(file)];
    const journal = AgentJournal.on(impatient);
    others.exec('BEGIN IMMEDIATE');
    expect(() => journal.noteVersion('tiny', { number: 2, digest: planDigest, bytes: 1 }, 5)).toThrow(/locked/);
    others.exec('COMMIT');
    journal.invite(participationId, plan, planDigest);
    const seen = AgentJournal.on(others);
    expect(seen.openParticipation()?.participationId).toBe(participationId);
    expect(seen.versions()).toEqual([]);
    seen.forgetVersion(planDigest); // throws if the journal still held the right to write
    seen.close();
    journal.close();
  });

  it('loses nothing that was noted when the process is killed in the middle of writing', async () => {
    const { participationId, plan, planDigest } = makeTrainAssignment();
    const journal = AgentJournal.open(file);
    journal.invite(participationId, plan, planDigest);
    journal.close();
    // The same write as the journal's, in a process that only SIGKILL ends; it says each number once it is noted.
    const program = join(folder, 'writer.cjs');
    await writeFile(
      program,
      `const Database = require('libsql');
       const database = new Database(process.argv[2], { timeout: 10000 });
       database.pragma('journal_mode = WAL');
       database.pragma('synchronous = FULL');
       const note = database.prepare('UPDATE agent_participation SET trainer_failures = ?, upload_id = ?');
       for (let i = 1; ; i++) { note.run(i, 'upload_' + i); require('fs').writeSync(1, i + '\\n'); }`,
    );
    const child = spawn(process.execPath, [program, file], {
      env: { ...process.env, NODE_PATH: join(PROJECT_ROOT, 'node_modules') },
    });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.stderr.on('data', (text: Buffer) => reject(new Error(String(text))));
      child.stdout.on('data', (text: Buffer) => {
        said += String(text);
        if (said.length > 200) child.kill('SIGKILL');
      });
      child.on('close', () => resolve());
    });
    const last = Number(said.trimEnd().split('\n').at(-1));
    const reopened = AgentJournal.open(file);
    const survived = reopened.openParticipation();
    expect(survived?.trainerFailures).toBeGreaterThanOrEqual(last);
    expect(survived?.uploadId).toBe(`upload_${survived?.trainerFailures}`);
    reopened.close();
    const database = new Database(file);
    expect(database.pragma('integrity_check', { simple: true })).toMatchObject({ integrity_check: 'ok' });
    database.close();
  });
});
