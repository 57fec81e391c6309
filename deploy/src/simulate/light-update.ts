import { algorithmOf, type Digest, digestOfJson, required } from '@consilium/shared/kernel';
import { scopedManifest } from '@consilium/shared/models';
import { federatedPart, type WeightSet, writeEncoded } from '@consilium/shared/weights';
import { partOfRound, type RoundPlan, type UpdateReport } from '@consilium/shared/wire';
import { campaignStateFile, siteFolder } from '@consilium/site-agent/dist/config/site-folder.js';
import type { PretrainOrder } from '@consilium/site-agent/dist/trainer/trainer-messages.js';
import { readControl, readVersion, withSiteLocal } from '@consilium/site-agent/dist/training/base-weights.js';
import { keptParts, readKeptState, writeKeptState } from '@consilium/site-agent/dist/training/kept-state.js';
import { makeUpdate } from '@consilium/site-agent/dist/training/make-update.js';
import type { RoundFolder } from '@consilium/site-agent/dist/training/round-folder.js';
import { noiseOf } from '@consilium/site-agent/dist/training/site-noise.js';
import { writeShiftedUpdate } from './write-shifted-update.js';

export interface LightWork {
  readonly order: PretrainOrder;
  readonly folder: RoundFolder;
  /** What training adds to every weight. */
  readonly shift: number;
  readonly steps: number;
  readonly patches: number;
  readonly warn: (text: string) => void;
  readonly signal: AbortSignal;
}

export interface LightUpdate {
  readonly digest: Digest;
  readonly bytes: number;
  readonly figures: Pick<UpdateReport, 'deltaNorm' | 'encodingError'>;
}

/** Writes the update of a training that added one number to every weight, and beside it what the site keeps of the campaign. */
export async function writeLightUpdate(work: LightWork): Promise<LightUpdate> {
  const { plan } = work.order;
  const metadata = {
    format: 'pt',
    kind: 'update',
    base: plan.base.digest,
    plan: digestOfJson(plan),
    round: String(plan.roundNumber),
    patches: String(work.patches),
  };
  return isPlain(plan) ? writePlain(work, metadata) : writeWhole(work, metadata);
}

/** True for a plan whose update is trained − base in 32 bits and leaves nothing to be kept. */
function isPlain(plan: RoundPlan): boolean {
  return plan.privacy === undefined && (plan.updates?.format ?? 'f32') === 'f32' && Object.keys(keptParts(plan)).length === 0;
}

async function writePlain(
  { order: { plan, basePath }, folder, shift, signal }: LightWork,
  metadata: Readonly<Record<string, string>>,
): Promise<LightUpdate> {
  const manifest = federatedPart(scopedManifest(plan.model, [], partOfRound(plan.objective, plan.roundNumber)));
  const algorithm = algorithmOf(plan.base.digest);
  const written = await writeShiftedUpdate({
    basePath,
    updatePath: folder.updateFile,
    manifest,
    shift,
    metadata,
    algorithm,
    signal,
  });
  return { ...written, figures: {} };
}

/** Number formats, local rules and parameters of one's own: as the trainer does it, with the whole model in memory. */
async function writeWhole(
  { order, folder, shift, steps, warn }: LightWork,
  metadata: Readonly<Record<string, string>>,
): Promise<LightUpdate> {
  const { plan, home, basePath, controlPath } = order;
  const version = await readVersion(basePath, plan.base.digest, plan.model);
  const control = plan.localRule?.kind === 'control-variates' ? plan.localRule.control : null;
  const mean =
    control === null ? undefined : await readControl(required(controlPath, 'the file of the control'), control.digest, plan);
  const { state: kept } = await readKeptState(campaignStateFile(siteFolder(home), plan.campaignId), keptParts(plan), warn);
  const base = withSiteLocal(version, kept.siteLocal);
  const trained = shifted(base, shift);
  const { tensors, next, figures } = makeUpdate({ plan, base, kept, mean, trained, last: trained, steps, noise: noiseOf(order) });
  if (Object.values(next).some((part) => part !== undefined)) await writeKeptState(folder.stateFile, next);
  const written = await writeEncoded(folder.updateFile, tensors, { metadata, digest: algorithmOf(plan.base.digest) });
  return { ...written, figures: figures ?? {} };
}

function shifted(weights: WeightSet, shift: number): WeightSet {
  return weights.map(({ name, shape, values }) => ({ name, shape, values: values.map((value) => value + shift) }));
}
