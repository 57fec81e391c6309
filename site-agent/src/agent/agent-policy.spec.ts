import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { auditEntrySchema } from '@consilium/shared/wire';
import { type LoneAgent, type LoneRun, startLoneAgent, until } from '../../../test/fixtures/lone-agent.js';
import { makeScoreAssignment, makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { siteFolder } from '../config/site-folder.js';

let home: string;
let world: LoneAgent;

function startAgent(run: LoneRun = {}): LoneAgent {
  world = startLoneAgent(home, run);
  return world;
}

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'agent-policy-'));
});
afterEach(async () => {
  await world.stop().catch(() => undefined);
  await rm(home, { recursive: true, force: true });
});

describe('an agent under its site’s policy', () => {
  const writePolicy = (text: string): Promise<void> => writeFile(siteFolder(home).policyFile, text);
  const audited = async (): Promise<string[]> =>
    (await readFile(siteFolder(home).auditFile, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => auditEntrySchema.parse(JSON.parse(line)).kind);

  it('declines what the site’s policy does not allow, with the code alone, and says the reason here', async () => {
    await writePolicy('campaigns: {allow: ["chest-*"]}\nmostSteps: 5\n');
    const { link, trainer, said } = startAgent();
    link.assign(makeTrainAssignment());
    await until(() => link.facts.length > 0);
    expect(link.facts).toEqual(['decline part_1 POLICY_REFUSED']);
    expect(trainer.orders).toEqual([]);
    expect(said.join('\n')).toMatch(/tiny, round 1: not allowed by this site’s policy, rule campaigns: "tiny" is not among/);
    expect(said.join('\n')).toMatch(/rule mostSteps: 10 steps are asked for; 5 at most/);
  });

  it('goes by what the policy has become: before training after a restart, while training, and before anything leaves', async () => {
    const first = startAgent({ scripts: ['hold'] });
    first.link.assign(makeTrainAssignment());
    await until(() => first.trainer.orders.length === 1);
    await first.stop();
    await writePolicy('campaigns: {deny: [tiny]}\n');
    const second = startAgent({ prepare: (link) => (link.assignment = makeTrainAssignment()) });
    await until(() => second.link.facts.length === 1);
    expect(second.link.facts).toEqual(['fail part_1 POLICY_REFUSED']);
    expect(second.trainer.orders).toEqual([]);
    await second.stop();

    await writePolicy('');
    const third = startAgent({ scripts: ['hold', 'hold'] });
    third.link.assign(makeTrainAssignment('part_2', 2));
    await until(() => third.trainer.orders.length === 1);
    await writePolicy('objectives: [universal-model]\n');
    third.link.assign(third.link.assignment); // the next question for work
    await until(() => third.link.facts.includes('fail part_2 POLICY_REFUSED'));
    expect(third.trainer.stops).toBe(1);

    await writePolicy('');
    third.link.assign(makeTrainAssignment('part_3', 3));
    await until(() => third.trainer.orders.length === 2);
    third.link.become({ kind: 'waiting', retryInMs: 1, reason: 'away' });
    third.trainer.finishHeld();
    await until(() => third.journal.openParticipation()?.phase === 'trained');
    await writePolicy('largestUpdate: 1kB\n');
    third.link.become({ kind: 'connected' });
    await until(() => third.link.facts.includes('fail part_3 POLICY_REFUSED'));
    expect(third.uploads).toEqual([]);
  });

  it('lets nothing begin and nothing leave while the policy cannot be read, and goes on where it was afterwards', async () => {
    const { link, trainer, board, uploads } = startAgent({ scripts: ['hold'] });
    link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    await writePolicy('campaigns: [');
    link.assign(link.assignment);
    await until(() => board.current.phase === 'resting');
    expect(trainer.stops).toBe(1);
    await writePolicy('campaigns: {allow: [tiny]}\n');
    link.assign(link.assignment);
    await until(() => link.offers.length === 1);
    expect([link.facts, uploads, trainer.orders.length]).toEqual([['accept part_1', 'offer part_1'], ['part_1'], 2]);
    await writePolicy('campaigns: [');
    link.assign(makeTrainAssignment('part_2', 2));
    await until(() => link.facts.includes('decline part_2 POLICY_REFUSED'));
  });

  it('scores nothing that the policy does not allow, and says so once', async () => {
    await writePolicy('metrics: [loss]\n');
    const { link, trainer, said } = startAgent();
    for (let i = 0; i < 3; i++) link.assign(makeScoreAssignment());
    await until(() => said.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([link.facts, trainer.orders]).toEqual([[], []]);
    expect(said.filter((line) => line.includes('scoring version 1: not allowed'))).toHaveLength(1);
  });

  it('hands the trainer the folders, threads and device that the policy leaves, and stops it when they change', async () => {
    await writePolicy(
      'folders: [{paths: [/data/open]}, {paths: [/data/chest], campaigns: [chest]}]\nthreads: 1\ndevices: [cpu]\n',
    );
    const counted: (readonly string[] | undefined)[] = [];
    const { link, trainer } = startAgent({ scripts: ['hold'], countVolumes: (folders) => counted.push(folders) });
    link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    expect(trainer.orders[0]?.limits).toEqual({ threads: 1, device: 'cpu', folders: ['/data/open'] });
    expect(counted).toContainEqual(['/data/open']);
    await writePolicy('folders: [{paths: [/data/other]}]\n');
    link.assign(link.assignment);
    await until(() => trainer.orders.length === 2);
    expect(trainer.stops).toBe(1);
    expect(trainer.orders[1]?.limits).toEqual({ threads: 1, folders: ['/data/other'] });
    await until(() => link.offers.length === 1);
  });

  it('declines with COLLECTION_EMPTY when no volume lies where the campaign may train', async () => {
    await writePolicy('folders: [{paths: [/data/open]}]\n');
    const { link } = startAgent({ countVolumes: () => 0 });
    link.assign(makeTrainAssignment());
    await until(() => link.facts.length > 0);
    expect(link.facts).toEqual(['decline part_1 COLLECTION_EMPTY']);
  });

  it('keeps a log of what was asked and what came of it, once each, with the coordinator’s heads', async () => {
    const auditHead = { seq: 7, digest: makeTrainAssignment().planDigest };
    const { link } = startAgent({ prepare: (memory) => (memory.auditHead = auditHead) });
    link.lostAnswers = 1;
    link.assign(makeTrainAssignment());
    await until(() => link.facts.length === 3);
    await until(() => world.journal.openParticipation() === undefined);
    expect(await audited()).toEqual(['invited', 'update-delivered']);
    const text = await readFile(siteFolder(home).auditFile, 'utf8');
    expect(text).toContain(`"coordinatorSeq":7,"coordinatorHead":"${auditHead.digest}"`);
    link.assign(makeTrainAssignment('part_2', 2));
    link.refusals = { accept: [new FederationError('ROUND_CLOSED', 'closed')] };
    await until(() => world.journal.participation('part_2')?.phase === 'closed');
    expect(await audited()).toEqual(['invited', 'update-delivered', 'invited', 'round-over']);
  });
});
