/** Several models of one task that answer as one, such as those of all folds: the mean of their probabilities. */
import { isDeepStrictEqual } from 'node:util';
import { type Digest, digestOfJson, FederationError, required } from '@consilium/shared/kernel';
import type { Runtime } from '../../engine/runtime/runtime.js';
import type { AnswerActivation } from '../../training/batch-computation.js';
import { Learner } from '../../training/learner.js';
import type { PatchSize } from '../../training/patch-batch.js';
import type { Classifier } from './classify-images.js';
import { imagePlanOf } from '../tasks/image-plan.js';
import type { ClassificationFacts, ModelFile, SegmentationFacts } from './model-file.js';
import type { Segmenter } from './segmenter.js';

/** Probabilities of a list of networks with the same inputs and outputs. All of them stay in memory. */
export class ModelEnsemble implements Segmenter, Classifier {
  private constructor(private readonly learners: readonly Learner[]) {}

  static create(models: readonly Pick<ModelFile, 'spec' | 'weights'>[], runtime: Runtime): ModelEnsemble {
    const learners: Learner[] = [];
    const ensemble = new ModelEnsemble(learners);
    try {
      for (const { spec, weights } of models) {
        const learner = Learner.create({ runtime, spec });
        learners.push(learner);
        learner.loadWeights(weights);
      }
      return ensemble;
    } catch (error) {
      ensemble.dispose();
      throw error;
    }
  }

  /** As {@link Learner.predict}; a single network's answer is its own, bit for bit. */
  predict(input: Float32Array, patches: number, size: PatchSize, last?: AnswerActivation): Float32Array {
    const [first, ...others] = this.learners;
    const sum = required(first, 'a network that answers').predict(input, patches, size, last);
    if (others.length === 0) return sum;
    for (const learner of others) {
      const answer = learner.predict(input, patches, size, last);
      for (let index = 0; index < sum.length; index++) sum[index] = (sum[index] as number) + (answer[index] as number);
    }
    return sum.map((value) => value / this.learners.length);
  }

  dispose(): void {
    for (const learner of this.learners) learner.dispose();
  }
}

/**
 * What models must know alike to answer together: classes, patches, and how an image becomes their input. ARGUMENT_INVALID when
 * one differs.
 */
export function requireOneTask<Facts extends SegmentationFacts | ClassificationFacts>(
  models: readonly ModelFile[],
  factsOf: (model: ModelFile) => Facts,
): Facts {
  const first = required(models[0], 'a model that answers');
  const facts = factsOf(first);
  const other = models.find((model) => !isDeepStrictEqual(askedOf(factsOf(model)), askedOf(facts)));
  if (other === undefined) return facts;
  throw new FederationError('ARGUMENT_INVALID', `${first.path} and ${other.path} were not trained on the same task`, {
    remedy: 'Only models with the same classes, patch size and preparation of images answer together; name one of them.',
  });
}

function askedOf(facts: SegmentationFacts | ClassificationFacts): unknown {
  const { classes, patchSizeVoxels } = facts;
  const input = 'input' in facts ? { input: facts.input, fit: facts.fit, outputs: facts.outputs } : {};
  return { classes, patchSizeVoxels, ...input, ...imagePlanOf(facts) };
}

/** A model's digest; of several, one that stands for the list of theirs. */
export function ensembleDigest(models: readonly Pick<ModelFile, 'digest'>[]): Digest {
  const [first, ...others] = models.map(({ digest }) => digest);
  return others.length === 0 ? required(first, 'a model that answers') : digestOfJson([first, ...others]);
}
