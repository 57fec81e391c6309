import { canonicalJson, FederationError } from '@consilium/shared/kernel';
import type { WeightSet } from '@consilium/shared/weights';
import type { ModelFile } from '../finetuning/answers/model-file.js';

/** How far two tensors, layers or models are apart; sums in 64 bits. */
export interface Distance {
  /** Euclidean norm of b − a. */
  readonly distance: number;
  /** The same as a share of the norm of a; null where a is zero. */
  readonly relative: number | null;
  /** Cosine of the angle between them; null where one is zero. */
  readonly cosine: number | null;
}

export interface LayerDistance extends Distance {
  /** Such as e1.0: the parameters of one convolution or norm. */
  readonly layer: string;
}

export interface Comparison {
  readonly sameArchitecture: boolean;
  readonly sameWeights: boolean;
  readonly overall: Distance;
  /** In the order of the network. */
  readonly layers: readonly LayerDistance[];
  /** Parameters of one model that the other lacks or has in another shape; left out of the distances. */
  readonly unlike: readonly string[];
}

/** Compares two models parameter by parameter, by name. MANIFEST_MISMATCH when they have no parameter in common. */
export function compareModels(a: Pick<ModelFile, 'spec' | 'weights'>, b: Pick<ModelFile, 'spec' | 'weights'>): Comparison {
  const others = new Map(b.weights.map((tensor) => [tensor.name, tensor]));
  const layers = new Map<string, Sums>();
  const overall = new Sums();
  const unlike: string[] = [];
  for (const { name, shape, values } of a.weights) {
    const other = others.get(name);
    others.delete(name);
    if (other === undefined || other.shape.join() !== shape.join()) {
      unlike.push(name);
      continue;
    }
    const layer = name.slice(0, Math.max(0, name.lastIndexOf('.'))) || name;
    const sums = layers.get(layer) ?? new Sums();
    layers.set(layer, sums);
    sums.add(values, other.values);
    overall.add(values, other.values);
  }
  if (layers.size === 0) throw nothingInCommon(a.weights, b.weights);
  return {
    sameArchitecture: canonicalJson(a.spec) === canonicalJson(b.spec),
    sameWeights: unlike.length === 0 && others.size === 0 && overall.distance().distance === 0,
    overall: overall.distance(),
    layers: [...layers].map(([layer, sums]) => ({ layer, ...sums.distance() })),
    unlike: [...unlike, ...others.keys()],
  };
}

class Sums {
  private squaredDifference = 0;
  private squaredA = 0;
  private squaredB = 0;
  private product = 0;

  add(a: Float32Array, b: Float32Array): void {
    for (let i = 0; i < a.length; i++) {
      const [x, y] = [a[i] as number, b[i] as number];
      this.squaredDifference += (y - x) * (y - x);
      this.squaredA += x * x;
      this.squaredB += y * y;
      this.product += x * y;
    }
  }

  distance(): Distance {
    const distance = Math.sqrt(this.squaredDifference);
    const norms = Math.sqrt(this.squaredA) * Math.sqrt(this.squaredB);
    return {
      distance,
      relative: this.squaredA === 0 ? null : distance / Math.sqrt(this.squaredA),
      cosine: norms === 0 ? null : Math.min(1, this.product / norms),
    };
  }
}

function nothingInCommon([a]: WeightSet, [b]: WeightSet): FederationError {
  return new FederationError('MANIFEST_MISMATCH', `the models have no parameter in common (${a?.name}, ${b?.name}, …)`, {
    remedy: 'Compare two versions of one architecture.',
  });
}
