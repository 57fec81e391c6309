import { FederationError } from '@consilium/shared/kernel';
import type { UniversalSpec } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { RoundPlan } from '@consilium/shared/wire';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Precision } from '../engine/tape.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import type { PatchBatch } from './patch-batch.js';

export interface AdversaryGradient {
  readonly gradient: WeightSet;
  readonly loss: number;
  readonly accuracy: number;
  readonly patches: number;
}

export interface AdversaryGradientOptions {
  readonly runtime: Runtime;
  readonly spec: UniversalSpec;
  readonly weights: WeightSet;
  readonly batches: Iterable<PatchBatch> | AsyncIterable<PatchBatch>;
  readonly precision?: Precision;
  readonly stop: AbortSignal;
  onBatch?(batches: number): void;
}

export async function adversaryGradient(options: AdversaryGradientOptions): Promise<AdversaryGradient> {
  throw new FederationError('INVARIANT', `no gradient for ${options.spec.architecture} yet`);
}

export async function openAdversaryPatches(
  plan: Pick<RoundPlan, 'seed' | 'roundNumber' | 'patch' | 'objective'>,
  volumes: readonly PreparedVolume[],
): Promise<PatchBatch[]> {
  throw new FederationError('INVARIANT', `no patches of ${volumes.length} volumes for round ${plan.roundNumber} yet`);
}
