/**
 * Synchronous data-parallel training: each device computes the gradients of its share of the batch, all shares are summed, and
 * all apply the same sum (as in Goyal et al., arXiv 1706.02677, without their change of the learning rate). The sum is made by
 * one process, in the devices' order, so that the same number of devices gives the same bits.
 */
import { bytesOf, FRAME, type FrameChannel } from './frame-channel.js';

/** Bytes in 32-bit floats that travel at once: small enough that summing and sending overlap. */
const CHUNK_VALUES = 1 << 18;

/**
 * The leader's half: adds the others' gradients to its own, in their order, and sends the sum back while later parts still
 * arrive. Resolves when all have it. `incoming` is a place of the same length.
 */
export async function sumGradients(own: Float32Array, incoming: Float32Array, others: readonly FrameChannel[]): Promise<void> {
  const sent: Promise<void>[] = [];
  for (const [from, to] of chunksOf(own.length)) {
    const [sum, addend] = [own.subarray(from, to), incoming.subarray(from, to)];
    for (const other of others) {
      await other.receiveInto(FRAME.gradients, bytesOf(addend));
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (addend[i] as number);
    }
    for (const other of others) sent.push(quietly(other.send(FRAME.sum, bytesOf(sum))));
  }
  await Promise.all(sent);
}

/** A follower's half: sends its gradients and gets the sum into the same place. */
export async function tradeGradients(gradients: Float32Array, leader: FrameChannel): Promise<void> {
  const send = async (): Promise<void> => {
    for (const [from, to] of chunksOf(gradients.length))
      await leader.send(FRAME.gradients, bytesOf(gradients.subarray(from, to)));
  };
  const receive = async (): Promise<void> => {
    // A part of the sum comes only after that part of the gradients has gone.
    for (const [from, to] of chunksOf(gradients.length))
      await leader.receiveInto(FRAME.sum, bytesOf(gradients.subarray(from, to)));
  };
  await Promise.all([send(), receive()]);
}

function* chunksOf(length: number): Generator<[from: number, to: number]> {
  for (let from = 0; from < length; from += CHUNK_VALUES) yield [from, Math.min(from + CHUNK_VALUES, length)];
}

/** Its rejection is seen when it is awaited, not before. */
function quietly(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
