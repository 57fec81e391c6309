import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, systemClock } from '@consilium/shared/kernel';
import { type AuditEntry, auditEntrySchema, auditFault } from '@consilium/shared/wire';
import { siteFolder, type SiteFolder } from '../config/site-folder.js';
import { openAudit } from './audit-file.js';
import { noteIdentity } from './note-identity.js';

let folder: SiteFolder;
beforeEach(() => {
  folder = siteFolder(mkdtempSync(join(tmpdir(), 'audit-')));
});
afterEach(() => rmSync(folder.home, { recursive: true }));

const entries = (): AuditEntry[] =>
  readFileSync(folder.auditFile, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => auditEntrySchema.parse(JSON.parse(line)));

const update = digestOfBytes('u');

describe('the site’s audit log', () => {
  it('goes on as one chain over restarts, for its owner alone', () => {
    for (let round = 1; round <= 3; round++) {
      const { audit, close, repairedBytes } = openAudit(folder, systemClock);
      audit.note('invited', { campaign: 'tiny', round });
      audit.note('accepted', { campaign: 'tiny', round });
      audit.flush();
      expect(repairedBytes).toBe(0);
      close();
    }
    expect(entries()).toHaveLength(6);
    expect(auditFault(entries())).toBeUndefined();
    expect(statSync(folder.auditFile).mode & 0o077).toBe(0);
  });

  it('notes what a crash repeats once, and another try of a round anew', () => {
    const about = { campaign: 'tiny', round: 1 };
    const noteRound = (): void => {
      const { audit, close } = openAudit(folder, systemClock);
      audit.note('invited', about);
      audit.note('accepted', about);
      audit.note('accepted', about);
      close();
    };
    noteRound();
    const first = openAudit(folder, systemClock);
    first.audit.note('update-offered', { ...about, update });
    first.audit.note('update-delivered', { ...about, update, coordinatorSeq: 3, coordinatorHead: update });
    first.close();
    const second = openAudit(folder, systemClock);
    // The answer to a repeated offer tells a later head; the delivery is the same.
    second.audit.note('update-delivered', { ...about, update, coordinatorSeq: 4, coordinatorHead: digestOfBytes('later') });
    expect(second.audit.isNoted('update-delivered', { ...about, update })).toBe(true);
    expect(second.audit.isNoted('update-delivered', { ...about, round: 2, update })).toBe(false);
    second.close();
    noteRound();
    expect(entries().map(({ kind }) => kind)).toEqual([
      ...['invited', 'accepted', 'update-offered', 'update-delivered'],
      ...['invited', 'accepted'],
    ]);
  });

  it('cuts off a last line that a kill has torn, and says so', () => {
    const first = openAudit(folder, systemClock);
    first.audit.note('invited', { campaign: 'tiny', round: 1 });
    first.audit.note('accepted', { campaign: 'tiny', round: 1 });
    first.close();
    const whole = statSync(folder.auditFile).size;
    truncateSync(folder.auditFile, whole - 20);
    const again = openAudit(folder, systemClock);
    expect(again.repairedBytes).toBeGreaterThan(0);
    again.audit.note('accepted', { campaign: 'tiny', round: 1 });
    again.close();
    expect(entries().map(({ kind }) => kind)).toEqual(['invited', 'log-repaired', 'accepted']);
    expect(auditFault(entries())).toBeUndefined();
  });

  it('is not gone on with when a line in the middle is not what it was, and names it', () => {
    const first = openAudit(folder, systemClock);
    for (const round of [1, 2, 3]) first.audit.note('invited', { campaign: 'tiny', round });
    first.close();
    const text = readFileSync(folder.auditFile, 'utf8');
    for (const altered of [text.replace('"round":2', '"round":7'), text.split('\n').toSpliced(1, 1).join('\n')]) {
      writeFileSync(folder.auditFile, altered);
      expect(() => openAudit(folder, systemClock)).toThrow(
        expect.objectContaining({ code: 'AUDIT_BROKEN', details: { seq: 2 } }) as Error,
      );
    }
  });

  it('notices another writer before it writes', () => {
    const { audit, close } = openAudit(folder, systemClock);
    audit.note('invited', { campaign: 'tiny', round: 1 });
    appendFileSync(folder.auditFile, 'hello\n');
    expect(() => audit.note('accepted', { campaign: 'tiny', round: 1 })).toThrow(/another program/);
    close();
  });

  it('notes who the site is when that is new, without the credential', () => {
    const { audit, close } = openAudit(folder, systemClock);
    const identity = {
      siteName: 'aare',
      coordinatorUrl: 'https://c.example/path',
      keyThumbprint: undefined,
      credential: 'secret-1',
    };
    noteIdentity(audit, identity);
    noteIdentity(audit, identity);
    noteIdentity(audit, { ...identity, credential: 'secret-2' });
    for (let start = 0; start < 2; start++) {
      noteIdentity(audit, { ...identity, credential: 'secret-2' });
      audit.note('credential-refused', { code: 'CREDENTIAL_REFUSED' });
    }
    // From here on it signs with a key.
    noteIdentity(audit, { ...identity, keyThumbprint: 'thumbprint-1' });
    close();
    expect(entries().at(-1)?.subject).toMatchObject({ key: 'thumbprint-1' });
    const kinds = entries().map(({ kind, subject }) => [kind, subject['site'], subject['coordinator']]);
    const told = ['identity', 'aare', 'https://c.example'];
    const refused = ['credential-refused', undefined, undefined];
    expect(kinds).toEqual([told, told, refused, told, refused, told]);
    expect(readFileSync(folder.auditFile, 'utf8')).not.toContain('secret');
  });

  it('holds all that was flushed when its writer is killed in the middle of writing', async () => {
    // The same writes as the log's, in a process that only SIGKILL ends; it says each number once it is flushed.
    const program = join(folder.home, 'writer.cjs');
    const { audit, close } = openAudit(folder, systemClock);
    for (let round = 1; round <= 3000; round++) audit.note('invited', { campaign: 'tiny', round });
    close();
    const lines = readFileSync(folder.auditFile, 'utf8').trimEnd();
    const source = join(folder.home, 'lines');
    writeFileSync(source, lines);
    rmSync(folder.auditFile);
    writeFileSync(
      program,
      `const fs = require('fs');
       const file = fs.openSync(process.argv[2], 'a', 0o600);
       fs.readFileSync(process.argv[3], 'utf8').split('\\n').forEach((line, i) => {
         fs.writeSync(file, line + '\\n'); fs.fsyncSync(file); fs.writeSync(1, (i + 1) + '\\n');
       });
       setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [program, folder.auditFile, source]);
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.stdout.on('data', (text: Buffer) => {
        said += String(text);
        if (said.length > 100) child.kill('SIGKILL');
      });
      child.on('close', () => resolve());
    });
    const last = Number(said.trimEnd().split('\n').at(-1));
    const reopened = openAudit(folder, systemClock);
    reopened.close();
    expect(reopened.audit.head?.seq).toBeGreaterThanOrEqual(last);
    expect(auditFault(entries())).toBeUndefined();
  });
});
