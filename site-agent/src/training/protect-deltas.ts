/**
 * The site's half of update privacy (docs/methods/update-privacy): trained − base is scaled to the clip norm over all tensors that leave,
 * and in the local form normal noise is added to every number, in 64 bits, before anything is rounded or encoded. All that comes
 * afterwards, error feedback too, sees noised numbers only.
 */
import { digestOfJson, openDigest, required } from '@consilium/shared/kernel';
import { addGaussianNoise, clipFactor, noiseKey } from '@consilium/shared/safeguards';
import type { WeightTensor } from '@consilium/shared/weights';
import type { RoundPlan } from '@consilium/shared/wire';

/** What the noise of one update is made of. */
export interface SiteNoise {
  /** The site's own, which never leaves it. */
  readonly secret: Uint8Array;
  readonly participationId: string;
}

/** Turns the delta of one tensor into what may leave. */
export type DeltaProtection = (delta: WeightTensor) => WeightTensor;

/**
 * Looks at all deltas once, in the order of the update. The noise is the same for the same participation, plan and deltas, so that
 * a round which is made again after a crash is the same update; deltas that differ in anything get other noise, as the difference of
 * two updates with the same noise would be one without.
 */
export function protectionFor(plan: RoundPlan, deltas: Iterable<WeightTensor>, noise: SiteNoise | undefined): DeltaProtection {
  const { privacy } = plan;
  if (privacy === undefined) return (delta) => delta;
  const { norm, digest, startOf } = measure(deltas);
  const { clipNorm, noiseMultiplier, form } = privacy;
  const factor = clipFactor(norm, clipNorm);
  if (form === 'central') return (delta) => ({ ...delta, values: delta.values.map((value) => value * factor) });
  const { secret, participationId } = required(noise, 'the secret of the local form’s noise');
  const key = noiseKey(secret, { form, participationId, plan: digestOfJson(plan), deltas: digest });
  return (delta) => {
    const values = new Float64Array(delta.values);
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * factor;
    addGaussianNoise(values, key, required(startOf.get(delta.name), 'the place of a tensor'), noiseMultiplier * clipNorm);
    return { ...delta, values: new Float32Array(values) };
  };
}

function measure(deltas: Iterable<WeightTensor>): {
  readonly norm: number;
  readonly digest: string;
  readonly startOf: ReadonlyMap<string, number>;
} {
  const running = openDigest();
  const startOf = new Map<string, number>();
  let [squares, elements] = [0, 0];
  for (const { name, values } of deltas) {
    startOf.set(name, elements);
    elements += values.length;
    for (let i = 0; i < values.length; i++) squares += (values[i] as number) ** 2;
    running.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return { norm: Math.sqrt(squares), digest: running.finish(), startOf };
}
