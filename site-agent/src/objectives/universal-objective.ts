/**
 * "UM-style" training, after the Universal Model (Zhang et al., arXiv 2010.06107), whose losses are unpublished: restoration, a
 * classifier of the patch's scale, and an encoder that hides the modality from an adversary. Weights, warm-up and the forms of
 * the adversary are this project's defaults (spec C5; docs/guides/universal-model.md).
 */
import { required } from '@consilium/shared/kernel';
import { ADVERSARY_PREFIX, SCALE_PREFIX } from '@consilium/shared/models';
import { meanSquaredError } from '../engine/losses/mean-squared-error.js';
import type { AdversaryLink, UniversalNetwork } from '../networks/universal.js';
import { targetTensor } from './answer-objective.js';
import { judgeHead } from './head-loss.js';
import type { Judgement, Objective, ParameterPart, Turn, WantedOf } from './objective.js';
import { progressAt, reversalStrength, type UniversalTraining } from './universal-clock.js';

const REPRESENTATION = 'representation';
const ADVERSARY = 'adversary';

/** What a turn asks of the heads. */
interface Pull {
  readonly link: AdversaryLink;
  readonly weight: number;
  readonly target: 'labels' | 'undecided';
}

/**
 * The objective of a training. Its batches need labels where it has a head. The representation is the backbone and the scale
 * classifier; where the adversary learns here too it has an optimizer of its own, so that its first step is a first step
 * whenever it comes.
 */
export function universalObjective(network: UniversalNetwork, training: UniversalTraining): Objective {
  const { adversary, scaleWeight } = training.losses;
  const learns = adversary.mode === 'reversal' || adversary.mode === 'alternating';
  const representation: ParameterPart = {
    name: REPRESENTATION,
    holds: (name) => !name.startsWith(ADVERSARY_PREFIX) && (scaleWeight > 0 || !name.startsWith(SCALE_PREFIX)),
  };
  const all = new RepresentationTurn(network, training);
  return {
    parts: learns && adversary.weight > 0 ? [representation, ADVERSARY_PART] : [representation],
    turnsOf(step) {
      const progress = adversary.mode === 'none' ? undefined : progressAt(training.clock, step, adversary.warmUpShare);
      if (progress === undefined || adversary.mode === 'none' || adversary.weight === 0) return [all.turn([REPRESENTATION])];
      const { weight } = adversary;
      switch (adversary.mode) {
        case 'reversal': {
          const link = { reversal: reversalStrength(progress, adversary.rampSlope) };
          return [all.turn([REPRESENTATION, ADVERSARY], { link, weight, target: 'labels' })];
        }
        case 'alternating':
          return [adversaryTurn(network), all.turn([REPRESENTATION], { link: 'straight', weight, target: 'undecided' })];
        case 'frozen':
          return [all.turn([REPRESENTATION], { link: 'straight', weight, target: 'undecided' })];
      }
    },
  };
}

/** The adversary alone, learning to tell the modalities from features that are held fixed. */
export function adversaryObjective(network: UniversalNetwork): Objective {
  const turn = adversaryTurn(network);
  return { parts: [ADVERSARY_PART], turnsOf: () => [turn] };
}

const ADVERSARY_PART: ParameterPart = { name: ADVERSARY, holds: (name) => name.startsWith(ADVERSARY_PREFIX) };

function adversaryTurn(network: UniversalNetwork): Turn {
  return {
    updates: [ADVERSARY],
    separable: true,
    forward: (tape, parameters, input) => {
      const { modality } = network.answer(tape, parameters, input, { modality: 'held' });
      return [required(modality, 'the modality')];
    },
    judge(runtime, answers, wanted, share) {
      const logits = required(answers[0], 'the logits of the modality');
      const { loss, gradient, hits } = judgeHead(runtime, logits, labelsOf(wanted).modality, { weight: share });
      return { loss, gradients: [gradient], sums: { modalityAccuracy: hits } };
    },
  };
}

/** The turn that moves the encoder. */
class RepresentationTurn {
  constructor(
    private readonly network: UniversalNetwork,
    private readonly training: UniversalTraining,
  ) {}

  turn(updates: readonly string[], pull?: Pull): Turn {
    const { network } = this;
    const scale = this.training.losses.scaleWeight > 0;
    return {
      updates,
      separable: true,
      forward(tape, parameters, input) {
        const answers = network.answer(tape, parameters, input, { restored: true, scale, modality: pull?.link });
        return [
          required(answers.restored, 'the restored patches'),
          ...(scale ? [required(answers.scale, 'the scale')] : []),
          ...(pull === undefined ? [] : [required(answers.modality, 'the modality')]),
        ];
      },
      judge: (runtime, answers, wanted, share) => {
        const { restorationWeight, scaleWeight } = this.training.losses;
        const [logits, ...rest] = answers;
        const restored = required(logits, 'the logits of the restored patches');
        const target = targetTensor(runtime, wanted, restored);
        const restoration = meanSquaredError.evaluate(runtime, restored, target, restorationWeight * share);
        target.free();
        const judgements: Judgement[] = [
          {
            loss: restoration.loss,
            gradients: [restoration.gradient],
            sums: { restorationError: (wanted.examples * restoration.loss) / (restorationWeight * share) },
          },
        ];
        if (scale) {
          const head = judgeHead(runtime, required(rest.shift(), 'the logits of the scale'), labelsOf(wanted).scale, {
            weight: scaleWeight * share,
          });
          judgements.push({ loss: head.loss, gradients: [head.gradient], sums: { scaleAccuracy: head.hits } });
        }
        if (pull !== undefined) {
          const head = judgeHead(runtime, required(rest.shift(), 'the logits of the modality'), labelsOf(wanted).modality, {
            weight: pull.weight * share,
            target: pull.target,
          });
          judgements.push({ loss: head.loss, gradients: [head.gradient], sums: { modalityAccuracy: head.hits } });
        }
        return sumOf(judgements);
      },
    };
  }
}

function sumOf(judgements: readonly Judgement[]): Judgement {
  return {
    loss: judgements.reduce((sum, { loss }) => sum + loss, 0),
    gradients: judgements.flatMap(({ gradients }) => gradients),
    sums: Object.assign({}, ...judgements.map(({ sums }) => sums)) as Judgement['sums'],
  };
}

function labelsOf({ labels }: WantedOf) {
  return required(labels, 'the labels of a batch');
}
