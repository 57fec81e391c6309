import type { Duplex } from 'node:stream';
import { FederationError, invariant } from '@consilium/shared/kernel';

/** What a frame between two trainers holds. */
export const FRAME = {
  outline: 1,
  values: 2,
  ready: 3,
  step: 4,
  loss: 5,
  gradients: 6,
  sum: 7,
  apply: 8,
  ask: 9,
  digest: 10,
} as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

const HEADER_BYTES = 8;

/**
 * Frames over a local socket: kind and length as 32-bit numbers, then the body, all in this machine's byte order, for both ends
 * are on it. One receive at a time. When the other end is gone, whatever waits rejects with TRANSFER_BROKEN.
 */
export class FrameChannel {
  private wake: () => void = () => undefined;
  private broken = false;

  constructor(private readonly socket: Duplex) {
    socket.on('readable', () => this.wake());
    for (const event of ['end', 'close', 'error']) socket.on(event, () => this.breakOff());
  }

  /** Resolves when the frame has left this process: leave the body unchanged until then. */
  async send(kind: FrameKind, body: Uint8Array): Promise<void> {
    const header = new Uint8Array(Uint32Array.of(kind, body.byteLength).buffer);
    this.socket.write(header);
    await new Promise<void>((resolve, reject) => {
      this.socket.write(body, (error) => (error ? reject(channelBroken()) : resolve()));
    });
  }

  /** The body of the next frame, which must be of this kind. */
  async receive(kind: FrameKind): Promise<Uint8Array> {
    const body = new Uint8Array(await this.expect(kind));
    await this.fill(body);
    return body;
  }

  /** The next frame of this kind into place; its length must fit exactly. */
  async receiveInto(kind: FrameKind, place: Uint8Array): Promise<void> {
    const bytes = await this.expect(kind);
    invariant(bytes === place.byteLength, 'a frame is as long as its place');
    await this.fill(place);
  }

  /** The next frame, of whatever kind. */
  async receiveAny(): Promise<{ kind: number; body: Uint8Array }> {
    const [kind, bytes] = await this.header();
    const body = new Uint8Array(bytes);
    await this.fill(body);
    return { kind, body };
  }

  end(): void {
    this.breakOff();
    this.socket.destroy();
  }

  private async expect(kind: FrameKind): Promise<number> {
    const [actual, bytes] = await this.header();
    invariant(actual === kind, `a frame of kind ${kind} comes next, not ${actual}`);
    return bytes;
  }

  private async header(): Promise<[kind: number, bytes: number]> {
    const words = new Uint32Array(HEADER_BYTES / Uint32Array.BYTES_PER_ELEMENT);
    await this.fill(new Uint8Array(words.buffer));
    return [words[0] as number, words[1] as number];
  }

  private async fill(place: Uint8Array): Promise<void> {
    let filled = 0;
    while (filled < place.byteLength) {
      const there = this.socket.readableLength;
      const chunk = there > 0 ? (this.socket.read(Math.min(there, place.byteLength - filled)) as Uint8Array | null) : null;
      if (chunk !== null) {
        place.set(chunk, filled);
        filled += chunk.byteLength;
      } else if (this.broken) {
        throw channelBroken();
      } else {
        await this.more();
      }
    }
  }

  private more(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.socket.read(0); // asks for more when the buffer ran empty
    });
  }

  private breakOff(): void {
    this.broken = true;
    this.wake();
  }
}

function channelBroken(): FederationError {
  return new FederationError('TRANSFER_BROKEN', 'the connection between two trainers of this site broke', { retryable: true });
}

/** The memory of an array as bytes, without a copy. */
export function bytesOf(values: Float32Array | Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The one number of a small frame, as {@link bytesOfNumber} wrote it. */
export function numberIn(body: Uint8Array): number {
  return new Float64Array(body.slice().buffer)[0] ?? Number.NaN;
}

export function bytesOfNumber(value: number): Uint8Array {
  return bytesOf(Float64Array.of(value));
}
