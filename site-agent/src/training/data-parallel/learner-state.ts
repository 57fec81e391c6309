import { createHash } from 'node:crypto';
import { type Digest, finishDigest } from '@consilium/shared/kernel';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import type { Learner } from '../learner.js';
import type { GradientRule } from '../local-rules/gradient-rule.js';
import { bytesOf, FRAME, type FrameChannel } from './frame-channel.js';

/** Names and shapes, without the values. */
type SetOutline = readonly { readonly name: string; readonly shape: readonly number[] }[];

interface Outline {
  readonly step: number;
  readonly weights: SetOutline;
  readonly optimizer: SetOutline;
  /** The gradient rule but for its values, which follow. */
  readonly rule?: (Omit<GradientRule, 'tensors'> & { readonly tensors: SetOutline }) | undefined;
}

/** The whole state of a learner before a step, read once and sent to any number of others. */
export async function sendState(learner: Learner, step: number, others: readonly FrameChannel[]): Promise<void> {
  const [weights, optimizer, rule] = [learner.readWeights(), learner.readOptimizerState(), learner.gradientRule];
  const outlineOf = (set: WeightSet): SetOutline => set.map(({ name, shape }) => ({ name, shape }));
  const outline: Outline = {
    step,
    weights: outlineOf(weights),
    optimizer: outlineOf(optimizer),
    rule: rule && { ...rule, tensors: outlineOf(rule.tensors) },
  };
  await Promise.all(
    others.map(async (other) => {
      await other.send(FRAME.outline, Buffer.from(JSON.stringify(outline)));
      for (const { values } of [...weights, ...optimizer, ...(rule?.tensors ?? [])])
        await other.send(FRAME.values, bytesOf(values));
    }),
  );
}

/** Puts a learner into the state that {@link sendState} sends; returns the step that comes next. */
export async function receiveState(learner: Learner, leader: FrameChannel): Promise<number> {
  const text = Buffer.from(await leader.receive(FRAME.outline)).toString('utf8');
  const { step, weights, optimizer, rule } = JSON.parse(text) as Outline;
  learner.loadWeights(await receiveSet(weights, leader));
  learner.loadOptimizerState(await receiveSet(optimizer, leader));
  learner.setGradientRule(rule && { ...rule, tensors: await receiveSet(rule.tensors, leader) });
  return step;
}

async function receiveSet(outline: SetOutline, leader: FrameChannel): Promise<WeightSet> {
  const set: { name: string; shape: readonly number[]; values: Float32Array }[] = [];
  for (const { name, shape } of outline) {
    const values = new Float32Array(elementCount(shape));
    await leader.receiveInto(FRAME.values, bytesOf(values));
    set.push({ name, shape, values });
  }
  return set;
}

/** Names the state of the optimizer, which follows from every gradient so far: equal in all learners that train as one. */
export function digestOfProgress(learner: Learner): Digest {
  const hash = createHash('sha256');
  for (const { name, values } of learner.readOptimizerState()) hash.update(name).update(bytesOf(values));
  return finishDigest(hash);
}
