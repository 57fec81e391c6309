import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { type LoneAgent, type MemoryLink, startLoneAgent, until } from '../../../test/fixtures/lone-agent.js';
import { makeScoreAssignment, makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import type { Script } from '../../../test/fixtures/scripted-trainer.js';
import { campaignStateFile, modelFile, siteFolder } from '../config/site-folder.js';
import type { Hours } from '../config/site-hours.js';
import { roundFolder } from '../training/round-folder.js';

let home: string;
let world: LoneAgent;

function startAgent(scripts: readonly Script[] = [], prepare?: (link: MemoryLink) => void, hours?: Hours): LoneAgent {
  world = startLoneAgent(home, { scripts, prepare, hours });
  return world;
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

  it('ends with the refusal when the coordinator does not want this agent, and stops its trainer', async () => {
    const { link, trainer, finished } = startAgent(['hold']);
    link.assign(makeTrainAssignment());
    await until(() => trainer.orders.length === 1);
    link.become({ kind: 'refused', error: new FederationError('CREDENTIAL_REFUSED', 'revoked') });
    await expect(finished).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED', exitCode: 3 });
    expect(trainer.stops).toBe(1);
  });
});
