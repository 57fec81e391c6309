/**
 * Which parameters a fine-tuning changes, and how fast: a probe or a frozen beginning leaves what was taken from the start
 * model as it is, factors make its encoder or its early blocks slower (discriminative rates, Howard and Ruder, ACL 2018), and
 * a ramp lets fresh layers settle first.
 */
import { manifestOf } from '@consilium/shared/models';
import type { OptimizerPlan } from '@consilium/shared/wire';
import type { ParameterGroup, RateFactorOf } from '../engine/optimizers/optimizer.js';
import type { CommonTraining } from './tasks/finetune-training.js';
import { blockOf, blocksOf, type FinetunedSpec, isOfTask, type ModelBlock } from './model-blocks.js';

/** What the treatment depends on. */
export interface Treated {
  readonly spec: FinetunedSpec;
  /** Names of the parameters that come from the start model. */
  readonly loaded: readonly string[];
  readonly training: Pick<CommonTraining, 'mode' | 'encoderRateFactor' | 'layerRateDecay' | 'freshFirst'>;
}

/**
 * The pretrained parameters: loaded, and of no layer that belongs to a task. From scratch there are none, so that a scratch
 * run of the same task trains everything.
 */
export function pretrainedParameters({ spec, loaded }: Pick<Treated, 'spec' | 'loaded'>): Map<string, ModelBlock> {
  const blocks = blocksOf(spec);
  const entries = loaded.flatMap((name) => {
    const block = blockOf(name, blocks);
    return block === undefined || isOfTask(block) ? [] : [[name, block] as const];
  });
  return new Map(entries);
}

/** True when the pretrained parameters rest in this step, counted from 0. */
export function isFrozenAt({ mode }: Treated['training'], step: number): boolean {
  return mode.kind === 'linear-probe' || (mode.kind === 'frozen-then-unfrozen' && step < mode.frozenSteps);
}

/** The optimizer's groups: one for each parameter that is not treated like the rest. */
export function parameterGroups(treated: Treated, frozen: boolean): ParameterGroup[] {
  const { encoderRateFactor, layerRateDecay } = treated.training;
  return [...pretrainedParameters(treated)].flatMap(([match, block]): ParameterGroup[] => {
    if (frozen) return [{ match, frozen }];
    const rateFactor = (block.part === 'encoder' ? encoderRateFactor : 1) * layerRateDecay ** block.distanceToOutput;
    return rateFactor === 1 ? [] : [{ match, rateFactor }];
  });
}

/** The optimizer of a phase, for a learner. */
export function optimizerOf(
  treated: Treated & { readonly training: Pick<CommonTraining, 'optimizer' | 'learningRate'> },
  frozen: boolean,
): OptimizerPlan {
  const { optimizer, learningRate } = treated.training;
  const groups = parameterGroups(treated, frozen);
  return { ...optimizer, learningRate, ...(groups.length > 0 && { groups }) };
}

/** The ramp of a step, counted from 0; undefined once everything has its full rate. */
export function rampAt({ training, ...model }: Treated, step: number): RateFactorOf | undefined {
  if (step >= training.freshFirst) return undefined;
  const pretrained = pretrainedParameters(model);
  const factor = step / training.freshFirst;
  return (name) => (pretrained.has(name) ? factor : 1);
}

/** Running statistics that rest with the layers they belong to. */
export function frozenStatistics(treated: Treated, statistics: ReadonlySet<string>): ReadonlySet<string> {
  const pretrained = pretrainedParameters(treated);
  return new Set(
    manifestOf(treated.spec).tensors.flatMap(({ name }) => (statistics.has(name) && pretrained.has(name) ? [name] : [])),
  );
}
