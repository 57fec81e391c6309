/**
 * A site's part in an adversary round (docs/methods/frozen-adversary): the exact gradient of the modality adversary's mean loss over
 * patches of the site's own, at the shared weights. The update is minus this gradient: what one step of gradient descent at rate 1
 * would change. Repeating the order goes on where it stopped and returns the same update, bit for bit on the same machine.
 */
import { algorithmOf, digestOfJson, invariant, required } from '@consilium/shared/kernel';
import type { UniversalSpec } from '@consilium/shared/models';
import { encodeUpdate, firstNonFinite, type WeightSet, writeEncoded } from '@consilium/shared/weights';
import { frozenAdversary, type RoundPlan } from '@consilium/shared/wire';
import { campaignStateFile, siteFolder } from '../config/site-folder.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { PretrainOrder, PretrainResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { type AdversaryGradient, adversaryGradient, adversaryPatches } from './adversary-gradient.js';
import { readVersion, withSiteLocal } from './base-weights.js';
import { CheckpointStore } from './checkpoint.js';
import { GradientSum } from './gradient-sum.js';
import { keptParts, readKeptState } from './kept-state.js';
import type { PatchBatch } from './patch-batch.js';
import { prepareFolder, type RoundFolder, roundFolder } from './round-folder.js';
import { finishRound, readFinished, updateMetadata } from './round-result.js';
import { loadCollection, modalitiesOf, type SiteCollection } from './site-collection.js';
import { diverged, type TrainingState, UNTRAINED } from './train.js';

const MINUTE_MS = 60_000;

/** How far a gradient is: its state counts patches as steps, and its losses are weighted with them. */
interface Gathered {
  readonly state: TrainingState;
  /** Undefined before the first patch. */
  readonly sum: GradientSum | undefined;
}

interface Gathering {
  readonly plan: RoundPlan;
  readonly spec: UniversalSpec;
  readonly weights: WeightSet;
  readonly collection: SiteCollection;
  readonly checkpoints: CheckpointStore;
  readonly order: PretrainOrder;
  readonly context: OrderContext;
}

/** Does the order, or returns at once what an earlier attempt finished. Its folder holds the update afterwards. */
export async function executeAdversaryRound(order: PretrainOrder, context: OrderContext): Promise<PretrainResult> {
  const { plan } = order;
  const { model: spec } = plan;
  invariant(spec.architecture === 'universal-model', 'an adversary round has a model with an adversary');
  invariant(plan.privacy === undefined, 'gradients of adversary rounds have neither clip nor noise');
  const site = siteFolder(order.home);
  const folder = roundFolder(site.roundsFolder, order.participationId);
  await prepareFolder(folder.path);
  const planDigest = digestOfJson(plan);
  const finished = await readFinished(folder, planDigest);
  if (finished !== undefined) return finished;

  const version = await readVersion(order.basePath, plan.base.digest, spec);
  const path = campaignStateFile(site, plan.campaignId);
  const { state: kept, digest: keptDigest } = await readKeptState(path, keptParts(plan), (text) => context.warn(text));
  const weights = withSiteLocal(version, kept.siteLocal);
  const modalities = modalitiesOf(plan.objective);
  const { cacheBytes, folders } = order.limits;
  const collection = await loadCollection({ site, patch: plan.patch, modalities, cacheBytes, folders }, context);
  const work = digestOfJson({ planDigest, collection: collection.digest, kept: keptDigest });
  const checkpoints = new CheckpointStore(folder.path, work, (text) => context.warn(text));
  const gathered = await gather({ plan, spec, weights, collection, checkpoints, order, context });
  const result = await deliver(folder, plan, planDigest, collection, gathered);
  await checkpoints.clear();
  return result;
}

/** The sum over all patches, a few batches at a time, from where an earlier attempt stopped. */
async function gather(gathering: Gathering): Promise<Gathered> {
  const { plan, collection, checkpoints, context, order } = gathering;
  const { checkpointEverySteps, minutes } = plan.training;
  const mostMs = minutes === undefined ? Infinity : minutes * MINUTE_MS;
  const asked = required(frozenAdversary(plan.objective), 'the frozen adversary of an adversary round').patches;
  let gathered = await resume(checkpoints);
  if (gathered.state.step >= asked) return gathered;
  const batches = new BatchesToCome(adversaryPatches(plan, collection.volumes, gathered.state.step));
  try {
    const runtime = openTrainerRuntime(order.limits, context);
    while (batches.hasMore() && (gathered.state.step === 0 || gathered.state.trainingMs < mostMs)) {
      const startedMs = context.nowMs();
      const part = await adversaryGradient({
        ...{ runtime, spec: gathering.spec, weights: gathering.weights, stop: context.stop },
        batches: batches.next(checkpointEverySteps),
      });
      gathered = withPart(gathered, part, context.nowMs() - startedMs);
      context.report('training', gathered.state.step, asked, part.loss);
      context.announce(`the adversary tells the modality of ${Math.round(100 * part.accuracy)} % of ${part.patches} patches`);
      const { high, low } = required(gathered.sum, 'the sum so far').parts();
      await checkpoints.save({ state: gathered.state, parameters: high, optimizer: low });
    }
  } finally {
    batches.close();
  }
  return gathered;
}

function withPart({ state, sum }: Gathered, { gradient, loss, patches }: AdversaryGradient, tookMs: number): Gathered {
  if (!Number.isFinite(loss)) throw diverged(state.step, 'the adversary’s loss is no longer a finite number');
  const next = sum ?? GradientSum.like(gradient);
  next.add(gradient, patches);
  return {
    sum: next,
    state: {
      step: state.step + patches,
      lossSum: state.lossSum + loss * patches,
      lastLoss: loss,
      trainingMs: state.trainingMs + tookMs,
      waitedMs: 0,
    },
  };
}

async function resume(checkpoints: CheckpointStore): Promise<Gathered> {
  const checkpoint = await checkpoints.load();
  if (checkpoint === undefined) return { state: UNTRAINED, sum: undefined };
  const { state, parameters: high, optimizer: low } = checkpoint;
  return { state, sum: GradientSum.from({ high, low }) };
}

async function deliver(
  folder: RoundFolder,
  plan: RoundPlan,
  planDigest: string,
  collection: SiteCollection,
  { state, sum }: Gathered,
): Promise<PretrainResult> {
  const patches = state.step;
  const descent = required(sum, 'the gradient of at least one patch').times(-1 / patches);
  const broken = firstNonFinite(descent);
  if (broken !== undefined) throw diverged(patches, `the gradient of ${broken} is not finite`);
  const metadata = updateMetadata(plan, planDigest, patches);
  const { tensors } = encodeUpdate(descent, 'f32');
  const { digest, bytes } = await writeEncoded(folder.updateFile, tensors, { metadata, digest: algorithmOf(plan.base.digest) });
  const report = {
    steps: 1,
    patches,
    meanLoss: state.lossSum / patches,
    lastLoss: state.lastLoss,
    trainingMs: Math.round(state.trainingMs),
    volumes: collection.volumes.length,
  };
  return finishRound(folder, planDigest, { digest, bytes, report });
}

/** Batches of a series, some at a time. */
class BatchesToCome {
  private readonly iterator: Iterator<PatchBatch>;
  private upcoming: PatchBatch | undefined;

  constructor(series: Iterable<PatchBatch>) {
    this.iterator = series[Symbol.iterator]();
  }

  hasMore(): boolean {
    if (this.upcoming !== undefined) return true;
    const next = this.iterator.next();
    if (next.done === true) return false;
    this.upcoming = next.value;
    return true;
  }

  /** At most so many of the next batches. */
  *next(most: number): Generator<PatchBatch> {
    for (let count = 0; count < most && this.hasMore(); count++) {
      const batch = required(this.upcoming, 'the next batch');
      this.upcoming = undefined;
      yield batch;
    }
  }

  /** The files that patches are read from are closed. */
  close(): void {
    this.iterator.return?.();
  }
}
