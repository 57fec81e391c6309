import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditEntrySchema, type AuditEntry, headNotedIn } from '@consilium/shared/wire';
import { auditCommand as coordinatorAudit } from '../../coordinator/src/commands/audit.js';
import { auditCommand as siteAudit } from '../../site-agent/src/commands/audit.js';
import { siteFolder, type SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, eventually, RawSite } from '../fixtures/raw-site.js';
import { RunningAgent } from '../fixtures/run-agent.js';
import { runCommand } from '../fixtures/run-command.js';

describe('a site with rules and a log of its own, and the coordinator', () => {
  let folder: string;
  let coordinator: TestCoordinator;
  const agents: RunningAgent[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'site-policy-'));
    coordinator = await TestCoordinator.open();
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.stop();
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  async function start(name: string, policy?: string): Promise<SiteFolder> {
    const { token } = (await askOperator(coordinator, 'POST', '/api/sites', { name })) as { token: string };
    const home = siteFolder(join(folder, name));
    const agent = await RunningAgent.start({
      ...{ url: coordinator.url, token, siteName: name, folder, constant: 0.25 },
      prepare: async () => {
        if (policy !== undefined) await writeFile(home.policyFile, policy);
      },
    });
    agents.push(agent);
    await eventually(async () => (agent.board.current.connection === 'connected' ? true : undefined));
    return home;
  }

  const finished = (name: string) =>
    eventually(async () => {
      const view = await campaignView(coordinator, name);
      return view.state === 'finished' || view.state === 'failed' ? view : undefined;
    }, 15_000);

  const entriesOf = async ({ auditFile }: SiteFolder): Promise<AuditEntry[]> =>
    (await readFile(auditFile, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => auditEntrySchema.parse(JSON.parse(line)));

  it('declines by its rules with POLICY_REFUSED; the round goes on without it, and no reason crosses the wire', async () => {
    const declining = await start('aare', 'campaigns: {deny: ["lungs"]}\n');
    await start('limmat');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    // Nor does it score the version: the campaign waits for that as for a site that is slow, and then goes on.
    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.finishedRounds === 1 ? now : undefined;
    }, 15_000);
    expect(view.roundViews[0]?.participations.map(({ siteName, state, code }) => [siteName, state, code])).toEqual([
      ['aare', 'declined', 'POLICY_REFUSED'],
      ['limmat', 'delivered', null],
    ]);
    const kinds = (await entriesOf(declining)).map(({ kind, subject }) => [kind, subject['rules']]);
    expect(kinds).toEqual([
      ['invited', undefined],
      ['declined', ['campaigns']],
    ]);
  });

  it('is told how many sites are invited, and takes part only in company enough; a site of protocol 1 is told nothing', async () => {
    const home = await start('aare', 'minimumCohort: 2\n');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('alone', { rounds: 1, quorum: 1, sites: ['aare'] }));
    expect((await finished('alone')).roundViews[0]?.participations).toMatchObject([
      { state: 'declined', code: 'POLICY_REFUSED' },
    ]);
    const old = await RawSite.enrol(coordinator, 'old');
    await old.connect(old.credential, 1);
    await askOperator(
      coordinator,
      'POST',
      '/api/campaigns',
      plan('pair', { rounds: 1, quorum: 1, digest: 'sha256', sites: ['aare', 'old'] }),
    );
    const assignment = await old.trainAssignment(1);
    expect(Object.keys(assignment.plan)).not.toContain('cohortSites');
    old.disconnect();
    const view = await finished('pair');
    expect(view.roundViews[0]?.participations[0]).toMatchObject({ siteName: 'aare', state: 'delivered' });
    expect((await entriesOf(home)).map(({ kind }) => kind)).toContain('update-delivered');
  });

  it('exchanges heads with every update: each log can be held against the other', async () => {
    const home = await start('aare');
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 2, quorum: 1, sites: ['aare'] }));
    await finished('lungs');
    const own = await entriesOf(home);
    const noted = own.flatMap((entry) => headNotedIn(entry, 'coordinator') ?? []);
    expect(noted).toHaveLength(2);

    const [theirs, access] = [join(folder, 'coordinator.jsonl'), ['--url', coordinator.url, '--home', coordinator.home]];
    await runCommand(coordinatorAudit(), ['export', '--output', theirs, ...access]);
    const ours = join(folder, 'aare.jsonl');
    await writeFile(ours, await readFile(home.auditFile));
    const site = ['--site', 'aare'];
    expect(await runCommand(siteAudit(), ['verify', ours, '--against', theirs, ...site])).toContain('all 2 heads');
    expect(await runCommand(coordinatorAudit(), ['verify', '--against', ours, ...access])).toContain('all 2 heads');
    // A site that puts another end to its log: a sound chain still, but the coordinator knows the old one.
    const shortened = own.slice(
      0,
      own.findIndex(({ kind }) => kind === 'update-offered'),
    );
    await writeFile(ours, shortened.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    await expect(runCommand(siteAudit(), ['verify', ours, '--against', theirs, ...site])).rejects.toMatchObject({
      code: 'AUDIT_BROKEN',
      message: expect.stringContaining('which this log does not contain') as string,
    });
  });
});
