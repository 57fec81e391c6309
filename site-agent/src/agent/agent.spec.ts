import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FederationError, systemClock } from '@consilium/shared/kernel';
import { type Assignment, auditEntrySchema, type AuditHead, type OfferAnswer, type UpdateOffer } from '@consilium/shared/wire';
import { bytesNamed, makeScoreAssignment, makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import { openRules } from '../../../test/fixtures/open-rules.js';
import { type Script, ScriptedTrainer } from '../../../test/fixtures/scripted-trainer.js';
import { campaignStateFile, modelFile, siteFolder } from '../config/site-folder.js';
import type { Hours } from '../config/site-hours.js';
import type { CoordinatorLink, LinkState } from '../link/coordinator-link.js';
import { silentLog } from '@consilium/shared/terminal';
import { roundFolder } from '../training/round-folder.js';
import { Agent } from './agent.js';
import { AgentJournal } from './agent-journal.js';
import { initialStatus, StatusBoard } from './agent-status.js';
import { filesOf } from './site-files.js';
import type { WeightTransfer } from './weight-transfer.js';

/** A coordinator in memory: facts in, one assignment out. */
class MemoryLink implements CoordinatorLink {
  state: LinkState = { kind: 'closed' };
  assignment: Assignment | null = null;
  readonly facts: string[] = [];
  readonly rests: (number | undefined)[] = [];
  offers: UpdateOffer[] = [];
  refusals: Record<string, FederationError[]> = {};
  auditHead: AuditHead | undefined;
  /** Offers that arrive although their answers do not. */
  lostAnswers = 0;
  private stateListeners: ((state: LinkState) => void)[] = [];
  private nudgeListeners: (() => void)[] = [];

  open(): void {
    this.become({ kind: 'connected' });
  }
  close(): void {
    this.become({ kind: 'closed' });
  }
  become(state: LinkState): void {
    this.state = state;
    this.stateListeners.forEach((listener) => listener(state));
  }
  assign(assignment: Assignment | null): void {
    this.assignment = assignment;
    this.nudgeListeners.forEach((listener) => listener());
  }
  onState(listener: (state: LinkState) => void): void {
    this.stateListeners.push(listener);
  }
  onNudge(listener: () => void): void {
    this.nudgeListeners.push(listener);
  }
  async sync(restsForMs?: number): Promise<Assignment | null> {
    this.rests.push(restsForMs);
    return this.assignment;
  }
  async accept(participationId: string): Promise<void> {
    this.note('accept', participationId);
  }
  async decline(participationId: string, code: string): Promise<void> {
    this.note('decline', participationId, code);
    this.assignment = null;
  }
  async fail(participationId: string, code: string): Promise<void> {
    this.note('fail', participationId, code);
    this.assignment = null;
  }
  async progress(): Promise<void> {
    return;
  }
  async offer(offer: UpdateOffer): Promise<OfferAnswer> {
    this.note('offer', offer.participationId);
    this.offers.push(offer);
    this.assignment = null;
    if (this.lostAnswers-- > 0) throw new FederationError('COORDINATOR_UNREACHABLE', 'no answer');
    return { outcome: 'accepted', auditHead: this.auditHead };
  }
  async reportScore({ versionDigest }: { versionDigest: string }): Promise<void> {
    this.note('score', versionDigest);
    this.assignment = null;
  }
  private note(...words: string[]): void {
    if (this.state.kind !== 'connected') throw new FederationError('COORDINATOR_UNREACHABLE', 'away');
    const refusal = this.refusals[words[0] ?? '']?.shift();
    if (refusal !== undefined) throw refusal;
    this.facts.push(words.join(' '));
  }
}

interface World {
  readonly home: string;
  readonly link: MemoryLink;
  readonly trainer: ScriptedTrainer;
  readonly journal: AgentJournal;
  readonly uploads: string[];
  /** Warnings in the site's log. */
  readonly said: string[];
  readonly board: StatusBoard;
  readonly finished: Promise<void>;
  stop(): Promise<void>;
}

let home: string;
let world: World;

function startAgent(
  scripts: readonly Script[] = [],
  prepare: (link: MemoryLink) => void = () => undefined,
  hours?: Hours,
  countVolumes: (folders?: readonly string[]) => number = () => 2,
): World {
  const link = new MemoryLink();
  prepare(link);
  const trainer = new ScriptedTrainer(scripts);
  const journal = AgentJournal.open(siteFolder(home).databaseFile);
  const uploads: string[] = [];
  const said: string[] = [];
  const transfer: WeightTransfer = {
    fetchVersion: async ({ digest }, path) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytesNamed(digest));
    },
    sendUpdate: async ({ participationId, path, onCreated }) => {
      if (!existsSync(path)) throw new FederationError('STORAGE_FAILED', 'gone', { retryable: false });
      onCreated(`upload_${participationId}`);
      uploads.push(participationId);
      return `upload_${participationId}`;
    },
  };
  const versions = { agent: '0.1.0', protocol: 1, node: '20' };
  const board = new StatusBoard(
    initialStatus({ siteName: 'aare', coordinatorUrl: 'http://x', startedAtMs: 0, volumes: 2, versions }),
  );
  const files = filesOf(siteFolder(home));
  const rules = openRules(siteFolder(home));
  const parts = {
    link,
    transfer,
    trainer,
    clock: systemClock,
    journal,
    files,
    ...rules,
    limits: { threads: 1 },
    board,
    log: { ...silentLog, warn: (line: string) => void said.push(line) },
  };
  const retry = { firstMs: 5, capMs: 20, floorMs: 1 };
  const agent = new Agent(parts, { syncEveryMs: 10_000, trainerRestarts: 2, countVolumes, retry, hours });
  const stopping = new AbortController();
  const finished = agent.run(stopping.signal);
  finished.catch(() => undefined);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await finished.catch(() => undefined);
    rules.close();
    journal.close();
  };
  world = { home, link, trainer, journal, uploads, said, board, finished, stop };
  return world;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}

const died = () => new FederationError('TRAINER_DIED', 'killed', { retryable: true });
const folderOf = (participationId: string): string => join(siteFolder(home).roundsFolder, participationId);

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'agent-'));
});
afterEach(async () => {
  await world.stop().catch(() => undefined);
  await rm(home, { recursive: true, force: true });
});

describe('agent', () => {
  it('takes part in two rounds, scores the last version, and gives the disk space back', async () => {
    const { link, trainer, journal, uploads, board } = startAgent();
    link.assign(makeTrainAssignment('part_1', 1));
    await until(() => link.offers.length === 1);
    link.assign(makeTrainAssignment('part_2', 2));
    await until(() => link.offers.length === 2);
    const score = makeScoreAssignment(3);
    link.assign(score);
    await until(() => link.facts.length === 5 && board.current.phase === 'idle');
    const digest = score.plan.version.digest;
    expect(link.facts).toEqual(['accept part_1', 'offer part_1', 'accept part_2', 'offer part_2', `score ${digest}`]);
    expect(trainer.orders.map(({ kind }) => kind)).toEqual(['pretrain', 'pretrain', 'score']);
    expect(uploads).toEqual(['part_1', 'part_2']);
    expect(link.offers[0]?.baseDigest).toBe(makeTrainAssignment('part_1', 1).plan.base.digest);
    expect(existsSync(folderOf('part_1'))).toBe(false);
    expect(
      journal
        .versions()
        .map(({ number }) => number)
        .sort(),
    ).toEqual([1, 2, 3]);
    expect(board.current).toMatchObject({ deliveredUpdates: 2, connection: 'connected', lastError: null, trainerPid: null });
  });

  it('does nothing twice when nudges are doubled', async () => {
    const { link, trainer } = startAgent(['hold']);
    for (let i = 0; i < 5; i++) link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    for (let i = 0; i < 5; i++) link.assign(makeTrainAssignment());
    trainer.finishHeld();
    await until(() => link.offers.length === 1);
    link.assign(makeTrainAssignment()); // an answer from before the offer
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(link.facts).toEqual(['accept part_1', 'offer part_1']);
    expect(trainer.orders).toHaveLength(1);
  });

  it('starts a dead trainer again, but not for ever', async () => {
    const { link, trainer } = startAgent([died(), died()]);
    link.assign(makeTrainAssignment('part_1', 1));
    await until(() => link.offers.length === 1);
    expect(trainer.orders).toHaveLength(3);
    await world.stop();
    const second = startAgent([died(), died(), died()]);
    second.link.assign(makeTrainAssignment('part_2', 2));
    await until(() => second.link.facts.includes('fail part_2 TRAINER_DIED'));
    expect(second.trainer.orders).toHaveLength(3);
    expect(second.board.current.lastError?.code).toBe('TRAINER_DIED');
  });

  it('reports at once what a restart would not mend', async () => {
    const { link, trainer } = startAgent([new FederationError('TRAINING_DIVERGED', 'NaN')]);
    link.assign(makeTrainAssignment());
    await until(() => link.facts.includes('fail part_1 TRAINING_DIVERGED'));
    expect(trainer.orders).toHaveLength(1);
  });

  it('stops the trainer and drops the work when the round closes', async () => {
    const { link, trainer, journal } = startAgent(['hold']);
    link.assign(makeTrainAssignment('part_1', 1));
    await until(() => trainer.orders.length === 1);
    await mkdir(folderOf('part_1'), { recursive: true });
    link.assign(makeTrainAssignment('part_2', 2));
    await until(() => link.offers.length === 1);
    expect(trainer.stops).toBe(1);
    expect(link.facts).toEqual(['accept part_1', 'accept part_2', 'offer part_2']);
    expect(existsSync(folderOf('part_1'))).toBe(false);
    expect(journal.participation('part_1')?.code).toBe('ROUND_CLOSED');
  });

  it('trains on while the coordinator is away and delivers when it is back', async () => {
    const { link, trainer, board } = startAgent(['hold']);
    link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    link.become({ kind: 'waiting', retryInMs: 1000, reason: 'ECONNREFUSED' });
    trainer.finishHeld();
    await until(() => board.current.phase === 'waiting');
    expect(trainer.stops).toBe(0);
    expect(board.current).toMatchObject({ connection: 'waiting', connectionReason: 'ECONNREFUSED' });
    link.become({ kind: 'connected' });
    await until(() => link.offers.length === 1);
  });

  it('goes on after a stop, also without the coordinator, and accepts only once', async () => {
    const first = startAgent(['hold']);
    first.link.assign(makeTrainAssignment());
    await until(() => first.trainer.orders.length === 1);
    await first.stop();
    expect(first.trainer.stops).toBe(1);
    const second = startAgent([], (link) => {
      link.open = () => link.become({ kind: 'waiting', retryInMs: 1, reason: 'ECONNREFUSED' });
    });
    await until(() => second.journal.openParticipation()?.phase === 'trained');
    second.link.assignment = makeTrainAssignment();
    second.link.become({ kind: 'connected' });
    await until(() => second.link.offers.length === 1);
    expect(second.link.facts).toEqual(['offer part_1']);
  });

  it('accepts, but trains only in the site’s hours; a trainer at work is stopped when they end', async () => {
    let restsForMs = 60_000;
    const hours: Hours = { restsForMs: () => restsForMs, changesInMs: () => 5 };
    const { link, trainer, board } = startAgent(['hold'], undefined, hours);
    link.assign(makeTrainAssignment());
    await until(() => board.current.phase === 'resting');
    expect(link.facts).toEqual(['accept part_1']);
    expect(trainer.orders).toHaveLength(0);
    expect(board.current.restUntilMs).toBeGreaterThan(Date.now());
    expect(new Set(link.rests)).toEqual(new Set([60_000]));

    restsForMs = 0;
    await until(() => trainer.orders.length === 1 && link.rests.at(-1) === undefined);
    expect(board.current.restUntilMs).toBeNull();
    restsForMs = 60_000;
    await until(() => board.current.phase === 'resting');
    expect(trainer.stops).toBe(1);
    expect(link.facts).toEqual(['accept part_1']);

    restsForMs = 0;
    await until(() => link.offers.length === 1);
    expect(trainer.orders).toHaveLength(2);
    expect(board.current.lastError).toBeNull();
  });

  it('tries again what the coordinator did not answer, and accepts that a round is over', async () => {
    const { link, journal } = startAgent([], (memory) => {
      memory.refusals = {
        accept: [new FederationError('COORDINATOR_UNREACHABLE', 'no answer')],
        offer: [new FederationError('UPLOAD_INCOMPLETE', 'lost'), new FederationError('ROUND_CLOSED', 'closed')],
      };
    });
    link.assign(makeTrainAssignment());
    await until(() => journal.participation('part_1')?.phase === 'closed');
    expect(link.facts).toEqual(['accept part_1']);
    expect(world.uploads).toEqual(['part_1', 'part_1']);
  });

  it('trains again when the update file was deleted', async () => {
    const first = startAgent(['hold']);
    first.link.assign(makeTrainAssignment());
    await until(() => first.trainer.orders.length === 1);
    first.link.become({ kind: 'waiting', retryInMs: 1, reason: 'away' });
    first.trainer.finishHeld();
    await until(() => first.journal.openParticipation()?.phase === 'trained');
    await rm(folderOf('part_1'), { recursive: true });
    first.link.become({ kind: 'connected' });
    await until(() => first.link.offers.length === 1);
    expect(first.trainer.orders).toHaveLength(2);
  });

  it.each([
    ['by repeating the offer whose answer was lost', 'counts', 'after the round'],
    ['when the round closed without it', 'closed', 'before the round'],
  ])('moves on what it keeps of a campaign only with an update that counts: %s', async (_what, outcome, kept) => {
    const { link, trainer, journal } = startAgent(['hold']);
    const assignment = makeTrainAssignment('part_1', 1);
    const present = campaignStateFile(siteFolder(home), assignment.plan.campaignId);
    const { stateFile } = roundFolder(siteFolder(home).roundsFolder, 'part_1');
    for (const [path, text] of [
      [present, 'before the round'],
      [stateFile, 'after the round'],
    ] as const) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
    if (outcome === 'counts') link.lostAnswers = 1;
    else link.refusals = { offer: [new FederationError('ROUND_CLOSED', 'closed')] };
    link.assign(assignment);
    await until(() => trainer.orders.length === 1);
    trainer.finishHeld();
    await until(() => journal.participation('part_1')?.phase === 'closed');
    expect(link.facts).toEqual(outcome === 'counts' ? ['accept part_1', 'offer part_1', 'offer part_1'] : ['accept part_1']);
    expect(await readFile(present, 'utf8')).toBe(kept);
    await until(() => !existsSync(folderOf('part_1')));
  });

  it('fetches the control variates beside the base, trains with both, and drops them with the round', async () => {
    const { link, trainer, journal } = startAgent(['hold']);
    const { digest, bytes } = makeTrainAssignment('part_7', 7).plan.base;
    const { plan, ...assignment } = makeTrainAssignment('part_1', 1);
    link.assign({ ...assignment, plan: { ...plan, localRule: { kind: 'control-variates', control: { digest, bytes } } } });
    await until(() => trainer.orders.length === 1);
    const controlPath = modelFile(siteFolder(home), digest);
    expect(trainer.orders[0]).toMatchObject({ basePath: modelFile(siteFolder(home), plan.base.digest), controlPath });
    expect(existsSync(controlPath)).toBe(true);
    expect(journal.versions().map((version) => version.digest)).toEqual([plan.base.digest]);
    trainer.finishHeld();
    await until(() => link.offers.length === 1 && journal.openParticipation() === undefined);
    expect(existsSync(controlPath)).toBe(false);
  });

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
    const first = startAgent(['hold']);
    first.link.assign(makeTrainAssignment());
    await until(() => first.trainer.orders.length === 1);
    await first.stop();
    await writePolicy('campaigns: {deny: [tiny]}\n');
    const second = startAgent([], (link) => (link.assignment = makeTrainAssignment()));
    await until(() => second.link.facts.length === 1);
    expect(second.link.facts).toEqual(['fail part_1 POLICY_REFUSED']);
    expect(second.trainer.orders).toEqual([]);
    await second.stop();

    await writePolicy('');
    const third = startAgent(['hold', 'hold']);
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
    const { link, trainer, board, uploads } = startAgent(['hold']);
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
    await writePolicy('folders: [{paths: [/data/open]}, {paths: [/data/chest], campaigns: [chest]}]\nthreads: 1\ndevices: [cpu]\n');
    const counted: (readonly string[] | undefined)[] = [];
    const { link, trainer } = startAgent(['hold'], undefined, undefined, (folders) => counted.push(folders));
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
    const { link } = startAgent([], undefined, undefined, () => 0);
    link.assign(makeTrainAssignment());
    await until(() => link.facts.length > 0);
    expect(link.facts).toEqual(['decline part_1 COLLECTION_EMPTY']);
  });

  it('keeps a log of what was asked and what came of it, once each, with the coordinator’s heads', async () => {
    const auditHead = { seq: 7, digest: makeTrainAssignment().planDigest };
    const { link } = startAgent([], (memory) => (memory.auditHead = auditHead));
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

  it('ends with the refusal when the coordinator does not want this agent, and stops its trainer', async () => {
    const { link, trainer, finished } = startAgent(['hold']);
    link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    link.become({ kind: 'refused', error: new FederationError('CREDENTIAL_REFUSED', 'revoked') });
    await expect(finished).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED', exitCode: 3 });
    expect(trainer.stops).toBe(1);
  });
});
