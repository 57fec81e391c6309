import { required } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';
import type { GradientTerm } from '../engine/gradient-terms.js';
import { createOptimizer } from '../engine/optimizers/create-optimizer.js';
import type { Optimizer, OptimizerSettings, RateFactorOf } from '../engine/optimizers/optimizer.js';
import type { Parameter, ParameterSet } from '../engine/parameters.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { ParameterPart, Turn } from '../objectives/objective.js';
import { prefixed, withPrefix } from './tensor-groups.js';

interface Part {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Left out in a learner that never updates. */
  readonly optimizer: Optimizer | undefined;
}

/** The learning rate of a step, and what multiplies it for single parameters. */
export interface StepRate {
  readonly rate: number;
  readonly factorOf?: RateFactorOf | undefined;
}

/** The parts of a model that a training updates, in turns, each with an optimizer of its own; there is at least one. */
export class UpdatedParts {
  private readonly parts: readonly [Part, ...Part[]];

  constructor(
    runtime: Runtime,
    parts: readonly ParameterPart[],
    private readonly parameters: ParameterSet,
    settings: OptimizerSettings | undefined,
  ) {
    const all = parameters.all();
    this.parts = parts.map(({ name, holds }) => {
      const held = all.filter((parameter) => holds(parameter.name));
      return { name, parameters: held, optimizer: settings && createOptimizer(runtime, held, settings) };
    }) as unknown as readonly [Part, ...Part[]];
  }

  /** Of the first part. */
  get steps(): number {
    return this.parts[0].optimizer?.steps ?? 0;
  }

  /** The parameters of a turn's parts. */
  of(turn: Turn): readonly Parameter[] {
    return this.ofTurn(turn).flatMap(({ parameters }) => parameters);
  }

  /** Forgets the gradients of parameters that the turn does not update. */
  dropOthers(turn: Turn): void {
    const kept = new Set(this.of(turn));
    for (const parameter of this.parameters.all()) if (!kept.has(parameter)) parameter.dropGradient();
  }

  /** One update of each of the turn's parts; `term` is added to their gradients first. */
  apply(turn: Turn, { rate, factorOf }: StepRate, term: GradientTerm | undefined): void {
    for (const { parameters, optimizer } of this.ofTurn(turn)) {
      term?.addTo(parameters);
      required(optimizer, 'the optimizer of a learner that trains').apply(parameters, rate, factorOf);
    }
  }

  /** All optimizers' exact states in one set: the first as it is, the others under their part's name. */
  readState(): WeightSet {
    return this.parts.flatMap(({ name, optimizer }, index) => {
      const state = required(optimizer, 'the optimizer of a learner that trains').readState();
      return index === 0 ? state : prefixed(`${name}/`, state);
    });
  }

  /** MANIFEST_MISMATCH when the state is another optimizer's or another model's. */
  loadState(state: WeightSet): void {
    const others = this.parts.slice(1).map(({ name }) => `${name}/`);
    const isOther = (tensor: string): boolean => others.some((prefix) => tensor.startsWith(prefix));
    for (const [index, { name, optimizer }] of this.parts.entries()) {
      const own = index === 0 ? state.filter((tensor) => !isOther(tensor.name)) : withPrefix(`${name}/`, state);
      required(optimizer, 'the optimizer of a learner that trains').loadState(own);
    }
  }

  /** The moving averages, of the parts that have some; undefined when none has. */
  readAverage(): WeightSet | undefined {
    const averages = this.parts.map(({ optimizer }) => optimizer?.readAverage());
    return averages.every((average) => average === undefined) ? undefined : averages.flatMap((average) => average ?? []);
  }

  dispose(): void {
    for (const { optimizer } of this.parts) optimizer?.dispose();
  }

  private ofTurn({ updates }: Turn): readonly Part[] {
    return updates.map((name) =>
      required(
        this.parts.find((part) => part.name === name),
        'the part of a turn',
      ),
    );
  }
}
