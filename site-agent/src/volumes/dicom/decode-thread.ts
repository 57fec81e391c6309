/** Entry of a decoding thread: decodes one frame after the other until it is terminated. */
import { parentPort } from 'node:worker_threads';
import { FederationError, required } from '@consilium/shared/kernel';
import { decodeFrame } from './decode-frame.js';
import { plainFault } from './decode-fault.js';
import type { DecodeAnswer, DecodeRequest } from './decode-threads.js';

const port = required(parentPort, 'the port of a decoding thread');

async function answer({ encoded, codec, form }: DecodeRequest): Promise<void> {
  try {
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    const values = await decodeFrame(bytes, codec, form);
    port.postMessage({ values } satisfies DecodeAnswer, [values.buffer as ArrayBuffer]);
  } catch (thrown) {
    port.postMessage({ fault: plainFault(FederationError.from(thrown)) } satisfies DecodeAnswer);
  }
}

port.on('message', (request: DecodeRequest) => void answer(request));
