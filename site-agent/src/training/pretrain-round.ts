/**
 * Local training of one round: base weights in, update (trained − base) out. Everything on disk can be lost at any moment
 * and is made again; repeating an order returns the same update, bit for bit on the same machine.
 */
import { algorithmOf, type Digest, digestOfJson, required } from '@consilium/shared/kernel';
import { type WeightSet, writeEncoded } from '@consilium/shared/weights';
import { partOfRound, patchesPerStep } from '@consilium/shared/wire';
import { campaignStateFile, siteFolder } from '../config/site-folder.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { PretrainOrder, PretrainResult } from '../trainer/trainer-messages.js';
import { isAdversary, lacksAdversary } from './adversary-share.js';
import { executeAdversaryRound } from './adversary-round.js';
import { readControl, readVersion, withSiteLocal } from './base-weights.js';
import { CheckpointStore } from './checkpoint.js';
import { StepLeader } from './data-parallel/lead-steps.js';
import { DataWait } from './data-wait.js';
import type { ReplicaTeam } from './data-parallel/replica-team.js';
import { type KeptState, keptParts, readKeptState, writeKeptState } from './kept-state.js';
import type { Learner } from './learner.js';
import { roundRule } from './local-rules/round-rule.js';
import { makeUpdate } from './make-update.js';
import type { ProbeLook } from './monitor-probe.js';
import { openRoundLearner } from './open-round-learner.js';
import { openRoundFeed } from './round-feed.js';
import { noiseOf } from './site-noise.js';
import { prepareFolder, type RoundFolder, roundFolder } from './round-folder.js';
import { lookAtBase, monitorTrained } from './round-probe.js';
import { finishRound, readFinished, updateMetadata } from './round-result.js';
import { rateInRound } from './schedules/round-rate.js';
import { loadCollection, modalitiesOf, type SiteCollection } from './site-collection.js';
import { train, type TrainingState, UNTRAINED } from './train.js';

const MINUTE_MS = 60_000;

/** What the steps of a round share. */
interface Round {
  readonly order: PretrainOrder;
  readonly context: OrderContext;
  readonly folder: RoundFolder;
  readonly planDigest: string;
  /** What training begins with: the base, with what the site keeps for itself in its place. */
  readonly base: WeightSet;
  readonly kept: KeptState;
  /** The mean of all sites' control variates. */
  readonly mean: WeightSet | undefined;
  readonly collection: SiteCollection;
  readonly learner: Learner;
  /** TensorFlow's, in this process. */
  readonly threads: number | undefined;
  /** Trains together with this learner; undefined when one device does it all. */
  readonly team: ReplicaTeam | undefined;
  readonly checkpoints: CheckpointStore;
  /** Names what is trained: the plan, the collection and what the site kept. Work on anything else is not continued. */
  readonly work: Digest;
}

/** Does the order, or returns at once what an earlier attempt finished. Its folder holds the update afterwards. */
export async function executePretrain(order: PretrainOrder, context: OrderContext): Promise<PretrainResult> {
  if (partOfRound(order.plan.objective, order.plan.roundNumber) === 'adversary') return executeAdversaryRound(order, context);
  const site = siteFolder(order.home);
  const folder = roundFolder(site.roundsFolder, order.participationId);
  await prepareFolder(folder.path);
  const planDigest = digestOfJson(order.plan);
  const finished = await readFinished(folder, planDigest);
  if (finished !== undefined) return finished;

  const start = await readStart(order, context);
  const { patch, objective } = order.plan;
  const { cacheBytes, folders } = order.limits;
  const collection = await loadCollection({ site, patch, modalities: modalitiesOf(objective), cacheBytes, folders }, context);
  const work = digestOfJson({ planDigest, collection: collection.digest, kept: start.keptDigest });
  const checkpoints = new CheckpointStore(folder.path, work, (text) => context.warn(text));
  const { learner, threads, team } = await openRoundLearner(order, context, collection, folder.memoryFile);
  try {
    return await trainRound({
      ...start,
      order,
      context,
      folder,
      planDigest,
      collection,
      learner,
      threads,
      team,
      checkpoints,
      work,
    });
  } finally {
    await team?.close();
    learner.dispose();
  }
}

/** All that a round begins with, each file checked against its digest. */
async function readStart(
  { home, plan, basePath, controlPath }: PretrainOrder,
  context: OrderContext,
): Promise<Pick<Round, 'base' | 'kept' | 'mean'> & { keptDigest: Digest | undefined }> {
  const version = await readVersion(basePath, plan.base.digest, plan.model);
  const control = plan.localRule?.kind === 'control-variates' ? plan.localRule.control : null;
  const mean =
    control === null ? undefined : await readControl(required(controlPath, 'the file of the control'), control.digest, plan);
  const path = campaignStateFile(siteFolder(home), plan.campaignId);
  const { state: kept, digest: keptDigest } = await readKeptState(path, keptParts(plan), (text) => context.warn(text));
  return { base: withSiteLocal(version, kept.siteLocal), kept, mean, keptDigest };
}

async function trainRound(round: Round): Promise<PretrainResult> {
  const { order, learner, base, kept, mean, checkpoints } = round;
  learner.loadWeights(base);
  learner.setGradientRule(roundRule({ plan: order.plan, base, mean, own: kept.control }));
  const baseLook = await lookAtBase({ ...round, plan: order.plan });
  const state = await trainSteps(round, await resume(round));
  const result = await deliver(round, state, baseLook);
  await checkpoints.clear();
  return result;
}

/** Puts the learner where the newest checkpoint left off; the base is loaded already. */
async function resume({ learner, checkpoints, context, order }: Round): Promise<TrainingState> {
  const checkpoint = await checkpoints.load();
  if (checkpoint === undefined) return UNTRAINED;
  learner.loadWeights(checkpoint.parameters);
  learner.loadOptimizerState(checkpoint.optimizer);
  context.report('training', checkpoint.state.step, order.plan.training.steps);
  return checkpoint.state;
}

async function trainSteps(round: Round, from: TrainingState): Promise<TrainingState> {
  const { order, context, collection, learner, checkpoints, threads, team } = round;
  const { plan } = order;
  const { steps, minutes, checkpointEverySteps } = plan.training;
  const { volumes } = collection;
  const source = openRoundFeed({ plan, volumes, threads, firstStep: from.step, share: team?.leaderShare });
  const leader = team && new StepLeader({ learner, source, ofPatches: patchesPerStep(plan.training), followers: team });
  const wait = new DataWait((text) => context.warn(text));
  try {
    await leader?.align(from.step);
    const state = await train(
      {
        trainee: leader ?? learner,
        source: leader ?? source,
        steps,
        mostMs: minutes === undefined ? undefined : minutes * MINUTE_MS,
        learningRateAt: (step) => rateInRound(plan, step),
        checkpointEverySteps,
        saveCheckpoint: (reached) =>
          checkpoints.save({ state: reached, parameters: learner.readWeights(), optimizer: learner.readOptimizerState() }),
        onStep: ({ step, lastLoss }, time) => {
          context.report('training', step, steps, lastLoss, time, learner.stepFigures);
          wait.note(time);
        },
        stop: context.stop,
        nowMs: () => context.nowMs(),
      },
      from,
    );
    await leader?.confirm();
    return state;
  } finally {
    await source.close();
  }
}

/** Writes the update, what the site will keep, and last of all the record that makes this attempt a finished one. */
async function deliver(round: Round, state: TrainingState, baseLook: ProbeLook): Promise<PretrainResult> {
  const { order, context, folder, planDigest, collection, base, kept, mean, learner } = round;
  const { plan } = order;
  const patches = state.step * patchesPerStep(plan.training);
  const last = learner.readWeights();
  const average = learner.readAverage();
  const trained = average ?? last;
  if (average !== undefined) learner.loadWeights(average); // it is what is delivered that is looked at
  const monitors = await monitorTrained({ plan, context, collection, learner }, baseLook.monitors);
  const leavesOut = lacksAdversary(plan.objective, collection.volumes) ? isAdversary : undefined;
  const noise = noiseOf(order);
  const made = makeUpdate({ plan, base, kept, mean, trained, last, steps: state.step, leavesOut, noise });
  const { tensors, next, figures } = made;
  const keeps = Object.values(next).some((part) => part !== undefined);
  const stateDigest = keeps ? await writeKeptState(folder.stateFile, next) : undefined;
  const metadata = updateMetadata(plan, planDigest, patches);
  const { digest, bytes } = await writeEncoded(folder.updateFile, tensors, { metadata, digest: algorithmOf(plan.base.digest) });
  const report = {
    steps: state.step,
    patches,
    meanLoss: state.lossSum / state.step,
    lastLoss: state.lastLoss,
    trainingMs: Math.round(state.trainingMs),
    waitedMs: Math.round(state.waitedMs),
    volumes: collection.volumes.length,
    baseScore: baseLook.score,
    ...figures,
    ...(monitors === undefined ? {} : { monitors }),
  };
  return finishRound(folder, planDigest, { digest, bytes, report }, stateDigest);
}
