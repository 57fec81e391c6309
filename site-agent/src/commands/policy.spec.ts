import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@consilium/shared/kernel';
import { Command } from 'commander';
import { makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { runCommand } from '../../../test/fixtures/run-command.js';
import { openAudit } from '../audit/audit-file.js';
import { noteIdentity } from '../audit/note-identity.js';
import { siteFolder } from '../config/site-folder.js';
import { auditCommand } from './audit.js';
import { policyCommand } from './policy.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'policy-command-'));
});
afterEach(() => {
  rmSync(home, { recursive: true });
  process.exitCode = undefined;
});

/** As the program runs it: the folder is an option of the whole line. */
function run(command: Command, ...words: string[]): Promise<string> {
  const program = new Command('site-agent').option('--home <folder>').addCommand(command.exitOverride());
  return runCommand(program, ['--home', home, command.name(), ...words]);
}

const campaign = (changes: object = {}): string => {
  const file = join(home, 'plan.json');
  const model = { architecture: 'genesis-unet3d', width: 2 };
  writeFileSync(
    file,
    JSON.stringify({ name: 'chest-1', model, training: { steps: 20 }, rounds: 2, sites: ['a', 'b'], ...changes }),
  );
  return file;
};

describe('site-agent policy', () => {
  it('tells, rule by rule, what would happen to a campaign, and ends with 0 or 3', async () => {
    expect(await run(policyCommand(), 'check', campaign())).toContain('campaign chest-1: allowed; this site has no rule on it');
    writeFileSync(siteFolder(home).policyFile, 'campaigns: {allow: ["chest-*"]}\nmostSteps: 20\n');
    const allowed = await run(policyCommand(), 'check', campaign());
    expect(allowed).toMatch(/✓ {2}campaigns .*among the allowed/);
    expect(allowed).toMatch(/campaign chest-1: allowed$/);
    expect(process.exitCode).toBeUndefined();
    const told = JSON.parse(await run(policyCommand(), 'check', campaign({ training: { steps: 21 } }), '--json')) as object;
    expect(told).toMatchObject({
      ...{ what: 'campaign', campaign: 'chest-1', allowed: false },
      findings: [{ allowed: true }, { rule: 'mostSteps', allowed: false, why: '21 steps are asked for; 20 at most' }],
    });
    expect(process.exitCode).toBe(3);
  });

  it('takes a round plan and an assignment as well, and names what is wrong with a plan', async () => {
    writeFileSync(siteFolder(home).policyFile, 'minimumCohort: 2\n');
    const assignment = makeTrainAssignment();
    const file = join(home, 'round.json');
    for (const content of [assignment, assignment.plan]) {
      writeFileSync(file, JSON.stringify(content));
      expect(await run(policyCommand(), 'check', file)).toMatch(/✗ {2}minimumCohort .*does not tell[^]*round tiny: refused/);
    }
    await expect(run(policyCommand(), 'check', campaign({ rounds: 0 }))).rejects.toMatchObject({ code: 'CAMPAIGN_INVALID' });
    await expect(run(policyCommand(), 'check', join(home, 'none'))).rejects.toMatchObject({ code: 'CAMPAIGN_INVALID' });
  });

  it('shows the rules in force, and what is wrong with a file', async () => {
    expect(await run(policyCommand(), 'show')).toMatch(/none: every plan is allowed/);
    writeFileSync(siteFolder(home).policyFile, 'threads: 3\nhours: "20:00-06:00"\n');
    expect(await run(policyCommand(), 'show')).toMatch(/hours, threads[^]*"20:00-06:00"[^]*processor threads/);
    writeFileSync(join(home, 'site.yaml'), 'hours: "08:00-12:00"\n');
    expect(await run(policyCommand(), 'show')).toMatch(/never meet/);
    expect(JSON.parse(await run(policyCommand(), 'show', '--json'))).toMatchObject({
      kind: 'in-force',
      policy: { threads: 3 },
      everTrains: false,
    });
    writeFileSync(siteFolder(home).policyFile, 'thread: 3\n');
    await expect(run(policyCommand(), 'show')).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    writeFileSync(join(home, 'site.yaml'), 'policy: rules/mine.yaml\n');
    await expect(run(policyCommand(), 'show')).rejects.toThrow(/not there/);
  });
});

describe('site-agent audit', () => {
  it('shows, checks and exports the log, also a copy without the site', async () => {
    const { audit, close } = openAudit(siteFolder(home), systemClock);
    noteIdentity(audit, { siteName: 'aare', coordinatorUrl: 'https://c.example', keyThumbprint: 'x' });
    for (const round of [1, 2, 3]) audit.note('invited', { campaign: 'chest', round });
    close();
    expect(await run(auditCommand(), 'show', '--last', '2')).toMatch(/invited.*campaign chest; round 2[^]*round 3/);
    expect(JSON.parse(await run(auditCommand(), 'show', '--json'))).toHaveLength(4);
    const { head } = JSON.parse(await run(auditCommand(), 'verify', '--json')) as { head: string };
    expect(head).toBe(audit.head?.digest);
    const [table, copy] = [join(home, 'a.csv'), join(home, 'a.jsonl')];
    expect(await run(auditCommand(), 'export', '--csv', table)).toContain('4 entries');
    await run(auditCommand(), 'export', '--json', copy);
    rmSync(siteFolder(home).auditFile);
    expect(await run(auditCommand(), 'verify', copy, '--head', head)).toMatch(/^4 entries, each as it was written/);
    await expect(run(auditCommand(), 'verify')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(run(auditCommand(), 'export')).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });
});
