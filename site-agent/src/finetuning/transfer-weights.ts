import { FederationError } from '@consilium/shared/kernel';
import { initialWeights, replaceableHeadPrefix } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { StartPlan } from './tasks/finetune-case.js';
import { blockOf, blocksOf, type FinetunedSpec, type ModelBlock } from './model-blocks.js';

/** Which parameters a fine-tuning took over and which it drew afresh. */
export interface Transfer {
  readonly weights: WeightSet;
  readonly loaded: readonly string[];
  readonly fresh: readonly string[];
}

/** Fresh seeded weights for every parameter: the scratch run of the same schedule. */
export function scratchWeights(spec: FinetunedSpec, seed: number): Transfer {
  const weights = initialWeights(spec, seed);
  return { weights, loaded: [], fresh: weights.map(({ name }) => name) };
}

/**
 * Every tensor by name from the source (spec A7), whatever else the source has; the output layer and a classifier's head too
 * when they are there and fit and `outputLayer` is "auto". What is not taken, named in `fresh`, or a head that a MedicalNet
 * encoder came without, is drawn from the seed exactly as a scratch run would. Throws MANIFEST_MISMATCH naming the tensor when another one does not fit, and TASK_INVALID
 * when `fresh` names nothing that the network has.
 */
export function transferWeights(
  spec: FinetunedSpec,
  source: WeightSet,
  seed: number,
  { outputLayer = 'auto', fresh: wished = [] }: Partial<Omit<StartPlan, 'from'>> = {},
): Transfer {
  const byName = new Map(source.map((tensor) => [tensor.name, tensor]));
  const drawn = initialWeights(spec, seed);
  const blocks = blocksOf(spec);
  const isWished = wishedFresh(wished, blocks, drawn);
  const fits = ({ name, shape }: WeightSet[number]): boolean => byName.get(name)?.shape.join('x') === shape.join('x');
  const allFit = (part: ModelBlock['part']): boolean =>
    drawn.filter(({ name }) => blockOf(name, blocks)?.part === part).every(fits);
  const keepsHead = allFit('head');
  const keepsOutput = outputLayer === 'auto' && keepsHead && allFit('output');
  const head = replaceableHeadPrefix(spec);
  const lacksHead = head !== undefined && !source.some(({ name }) => name.startsWith(head));
  const loaded: string[] = [];
  const weights = drawn.map((tensor) => {
    const part = blockOf(tensor.name, blocks)?.part;
    const dropped = (part === 'head' && !keepsHead) || (part === 'output' && !keepsOutput);
    if (dropped || isWished(tensor.name) || (lacksHead && tensor.name.startsWith(head))) return tensor;
    const taken = byName.get(tensor.name);
    if (taken === undefined || !fits(tensor)) throw unfit(tensor, taken);
    loaded.push(tensor.name);
    return taken;
  });
  const taken = new Set(loaded);
  return { weights, loaded, fresh: drawn.map(({ name }) => name).filter((name) => !taken.has(name)) };
}

function wishedFresh(wished: readonly string[], blocks: readonly ModelBlock[], drawn: WeightSet): (name: string) => boolean {
  const matchers = wished.map((wish) => {
    const matches = (name: string): boolean =>
      wish === 'encoder' || wish === 'decoder' ? blockOf(name, blocks)?.part === wish : name.startsWith(wish);
    if (drawn.some(({ name }) => matches(name))) return matches;
    throw new FederationError('TASK_INVALID', `start.fresh: no parameter of the network belongs to ${wish}`, {
      remedy: 'Name encoder, decoder, or the beginning of a parameter name such as d1.',
    });
  });
  return (name) => matchers.some((matches) => matches(name));
}

function unfit(wanted: WeightSet[number], found: WeightSet[number] | undefined): FederationError {
  const detail =
    found === undefined
      ? `lacks the tensor ${wanted.name}`
      : `has ${wanted.name} with shape [${found.shape.join(', ')}], expected [${wanted.shape.join(', ')}]`;
  return new FederationError('MANIFEST_MISMATCH', `the start model ${detail}`, {
    remedy: 'Start from a model of the same architecture, from scratch, or name the block in start.fresh.',
  });
}
