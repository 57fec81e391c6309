/**
 * Gaussian noise that is secret, and yet the same after a crash: the key is an HMAC of what the noise is for under a secret that
 * stays where it was made, the uniform numbers are the key stream of AES-256 in counter mode, and Box and Muller's method ("A note on
 * the generation of random normal deviates", Annals of Mathematical Statistics, 1958) turns two of them into two normal ones. Counter
 * mode gives each element a place of its own: any range can be made alone.
 *
 * 64-bit floats are not real numbers: Mironov, "On significance of the least significant bits for differential privacy", CCS 2012,
 * shows what an exact observer can gain from noise that is added in them. Where it counts it is said in docs/methods/update-privacy.
 */
import { createCipheriv, createHmac } from 'node:crypto';
import { canonicalJson, naturalLogarithm, sineAndCosineOfTurn } from '@consilium/shared/kernel';

const BLOCK_BYTES = 16;
/** Blocks of the key stream that are made at a time: 64 KiB. */
const BLOCKS_AT_ONCE = 1 << 12;
const ZEROS = Buffer.alloc(BLOCKS_AT_ONCE * BLOCK_BYTES);
const UNIT = 2 ** -53;

/**
 * The key of the noise for one purpose: HMAC-SHA-256 of its canonical JSON. The same secret and purpose give the same noise;
 * whatever differs in the purpose gives independent noise. So name in it all that the noise is added to.
 */
export function noiseKey(secret: Uint8Array, purpose: object): Uint8Array {
  return createHmac('sha256', secret).update(canonicalJson(purpose)).digest();
}

/**
 * Adds independent normal numbers of mean 0 and the given deviation to `values`, which are the elements `first`, `first` + 1 … of all
 * that the key is for. Elements 2k and 2k + 1 are made of block k of the key stream: its two little-endian halves are cut to 53 bits.
 */
export function addGaussianNoise(values: Float64Array, key: Uint8Array, first: number, deviation: number): void {
  const end = first + values.length;
  const lastBlock = Math.ceil(end / 2);
  for (let block = Math.floor(first / 2); block < lastBlock; block += BLOCKS_AT_ONCE) {
    const blocks = Math.min(BLOCKS_AT_ONCE, lastBlock - block);
    const stream = keyStream(key, block, blocks);
    for (let place = 0; place < blocks; place++) {
      const radius = deviation * Math.sqrt(-2 * naturalLogarithm(uniform(stream, place * BLOCK_BYTES) + UNIT)); // never ln 0
      const { sine, cosine } = sineAndCosineOfTurn(uniform(stream, place * BLOCK_BYTES + 8));
      const even = 2 * (block + place) - first;
      if (even >= 0) values[even] = (values[even] as number) + radius * cosine;
      if (even + 1 < values.length) values[even + 1] = (values[even + 1] as number) + radius * sine;
    }
  }
}

function keyStream(key: Uint8Array, firstBlock: number, blocks: number): DataView {
  const counter = Buffer.alloc(BLOCK_BYTES);
  counter.writeBigUInt64BE(BigInt(firstBlock), 8);
  const bytes = createCipheriv('aes-256-ctr', key, counter).update(ZEROS.subarray(0, blocks * BLOCK_BYTES));
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The upper 53 bits of eight bytes as a part of 1: from 0 to 1 − 2^-53. */
function uniform(stream: DataView, at: number): number {
  return (stream.getUint32(at + 4, true) * 2 ** 21 + (stream.getUint32(at, true) >>> 11)) * UNIT;
}
