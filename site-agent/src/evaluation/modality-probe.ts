/**
 * How well modality can be read from frozen features: the usual probe of domain-adversarial training, a classifier that is trained
 * afresh on features that do not change (Alain and Bengio, "Understanding intermediate layers using linear classifier probes", 2016).
 * It tells how much an adversary has erased, where the adversary's own accuracy only tells who is winning. An accuracy of one half
 * says that this classifier finds nothing, not that nothing is there; hence two classifiers.
 */
import { FederationError, Random } from '@consilium/shared/kernel';
import { fitLogistic, type Label, logitOf, type Rows } from './logistic-regression.js';
import { fitPerceptron } from './small-perceptron.js';

export interface ProbedExample {
  /** What must not be on both sides of a fold: the patient, or the volume where patients are not known. */
  readonly group: string;
  /** 0 is CT, 1 is MR. */
  readonly label: Label;
  readonly features: Float32Array;
}

/** A figure over all groups, with its 95 % percentile interval over resampled groups (Efron 1979). */
export interface ProbedFigure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface ProbedModality {
  readonly examples: number;
  readonly groups: number;
  readonly linear: ProbedFigures;
  readonly perceptron: ProbedFigures;
}

export interface ProbedFigures {
  /** Mean of the two classes' recalls at even odds; 0.5 is chance. */
  readonly balancedAccuracy: ProbedFigure;
  /** Area under the ROC curve; 0.5 is chance. */
  readonly auc: ProbedFigure;
}

export interface ProbeSettings {
  readonly seed: string;
  readonly folds?: number;
  readonly resamples?: number;
  /** L2 penalty of the linear probe on standardised features. */
  readonly penalty?: number;
}

/** What a probe said of an example that it had not been trained on. */
interface Answer {
  readonly group: string;
  readonly label: Label;
  readonly logit: number;
}

type Fit = (rows: Rows, labels: readonly Label[], random: Random) => (row: Float64Array) => number;

/**
 * K-fold cross-validation over groups, seeded; features are standardised by the training part of each fold. Throws
 * ARGUMENT_INVALID unless each class is in at least two groups.
 */
export function probeModality(examples: readonly ProbedExample[], settings: ProbeSettings): ProbedModality {
  const { seed, folds = 5, penalty = 1 } = settings;
  const foldOf = assignFolds(examples, folds, new Random(`${seed}/folds`));
  const linear: Fit = (rows, labels) => {
    const model = fitLogistic(rows, labels, penalty);
    return (row) => logitOf(model, row);
  };
  const figures = (name: string, fit: Fit): ProbedFigures => {
    const answers = crossValidate(examples, foldOf, fit, new Random(`${seed}/${name}`));
    return figuresOf(answers, new Random(`${seed}/resamples`), settings.resamples ?? 2000);
  };
  return {
    examples: examples.length,
    groups: foldOf.size,
    linear: figures('linear', linear),
    perceptron: figures('perceptron', fitPerceptron),
  };
}

/** Groups dealt out in turn, those of each make-up apart, so that every fold has both classes if it can, and is trained on both. */
function assignFolds(examples: readonly ProbedExample[], folds: number, random: Random): ReadonlyMap<string, number> {
  const labelsOf = new Map<string, Set<Label>>();
  for (const { group, label } of examples) labelsOf.set(group, (labelsOf.get(group) ?? new Set()).add(label));
  for (const label of [0, 1] as const) {
    if ([...labelsOf.values()].filter((labels) => labels.has(label)).length >= 2) continue;
    throw new FederationError('ARGUMENT_INVALID', `a probe for modality needs two volumes or patients with ${NAMES[label]}`, {
      remedy: 'Probe volumes of at least two patients of each modality.',
    });
  }
  const foldOf = new Map<string, number>();
  const kinds: ((labels: ReadonlySet<Label>) => boolean)[] = [
    (labels) => labels.size === 2,
    (labels) => labels.size === 1 && labels.has(0),
    (labels) => labels.size === 1 && labels.has(1),
  ];
  for (const isOfKind of kinds) {
    const groups = [...labelsOf].filter(([, labels]) => isOfKind(labels)).map(([group]) => group);
    for (const group of random.shuffle(groups.sort())) foldOf.set(group, foldOf.size % folds);
  }
  for (const label of [0, 1] as const) spread(label, labelsOf, foldOf, folds);
  return foldOf;
}

/**
 * A group of both classes and the only other one of a class may have come to one fold, whose training part would lack the class: the
 * other one moves on. More groups of one make-up are never all in one fold.
 */
function spread(
  label: Label,
  labelsOf: ReadonlyMap<string, ReadonlySet<Label>>,
  foldOf: Map<string, number>,
  folds: number,
): void {
  const holders = [...labelsOf].filter(([, labels]) => labels.has(label));
  const [fold, ...others] = new Set(holders.map(([group]) => foldOf.get(group)));
  const single = holders.find(([, labels]) => labels.size === 1);
  if (fold !== undefined && others.length === 0 && single !== undefined) foldOf.set(single[0], (fold + 1) % folds);
}

const NAMES = ['CT', 'MR'] as const;

function crossValidate(
  examples: readonly ProbedExample[],
  foldOf: ReadonlyMap<string, number>,
  fit: Fit,
  random: Random,
): Answer[] {
  const answers: Answer[] = [];
  for (const fold of new Set(foldOf.values())) {
    const train = examples.filter(({ group }) => foldOf.get(group) !== fold);
    const labels = train.map(({ label }) => label);
    if (new Set(labels).size < 2) continue; // a fold whose training part has one class answers for nobody
    const standardise = standardiserOf(train);
    const answer = fit(
      train.map(({ features }) => standardise(features)),
      labels,
      random.fork(`fold-${fold}`),
    );
    for (const { group, label, features } of examples.filter((example) => foldOf.get(example.group) === fold)) {
      answers.push({ group, label, logit: answer(standardise(features)) });
    }
  }
  return answers;
}

/** To mean 0 and deviation 1 in these examples; features that never change become 0. */
function standardiserOf(examples: readonly ProbedExample[]): (features: Float32Array) => Float64Array {
  const size = examples[0]?.features.length ?? 0;
  const [mean, deviation] = [new Float64Array(size), new Float64Array(size)];
  for (let i = 0; i < size; i++) {
    const values = examples.map(({ features }) => features[i] as number);
    const middle = values.reduce((sum, value) => sum + value, 0) / values.length;
    mean[i] = middle;
    deviation[i] = Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / values.length);
  }
  return (features) =>
    Float64Array.from(features, (value, i) => {
      const spread = deviation[i] as number;
      return spread < 1e-12 ? 0 : (value - (mean[i] as number)) / spread;
    });
}

function figuresOf(answers: readonly Answer[], random: Random, resamples: number): ProbedFigures {
  const byGroup = new Map<string, Answer[]>();
  for (const answer of answers) byGroup.set(answer.group, [...(byGroup.get(answer.group) ?? []), answer]);
  const groups = [...byGroup.values()];
  const drawn: Answer[][] = [];
  // A draw with one class has no such figures and is drawn again; each class is in two groups or more.
  while (drawn.length < resamples) {
    const draw = groups.flatMap(() => groups[random.integer(0, groups.length - 1)] ?? []);
    if (new Set(draw.map(({ label }) => label)).size === 2) drawn.push(draw);
  }
  const estimate = (figure: (answers: readonly Answer[]) => number): ProbedFigure => {
    const values = drawn.map(figure).sort((a, b) => a - b);
    const at = (share: number): number => values[Math.min(values.length - 1, Math.floor(share * values.length))] ?? NaN;
    return { value: figure(answers), low: at(0.025), high: at(0.975) };
  };
  return { balancedAccuracy: estimate(balancedAccuracyOf), auc: estimate(aucOf) };
}

function balancedAccuracyOf(answers: readonly Answer[]): number {
  const recall = (label: Label): number => {
    const own = answers.filter((answer) => answer.label === label);
    return own.filter(({ logit }) => logit > 0 === (label === 1)).length / own.length;
  };
  return (recall(0) + recall(1)) / 2;
}

/** Share of the pairs of one example of each class that are in order, ties half: from the ranks (Mann and Whitney 1947). */
function aucOf(answers: readonly Answer[]): number {
  const sorted = [...answers].sort((a, b) => a.logit - b.logit);
  let rankSum = 0;
  for (let from = 0; from < sorted.length;) {
    let to = from;
    while (to < sorted.length && sorted[to]?.logit === sorted[from]?.logit) to++;
    const rank = (from + to + 1) / 2;
    for (let i = from; i < to; i++) if (sorted[i]?.label === 1) rankSum += rank;
    from = to;
  }
  const ones = sorted.filter(({ label }) => label === 1).length;
  return (rankSum - (ones * (ones + 1)) / 2) / (ones * (sorted.length - ones));
}
