import { type FileHandle, open } from 'node:fs/promises';
import { FederationError } from '@consilium/shared/kernel';
import { elementCount } from '../manifest.js';
import { malformedCheckpoint } from './checkpoint-fault.js';
import { floatsOf, gatherElements } from './element-values.js';
import { openLegacyContainer } from './legacy-container.js';
import { type PickledValue, TORCH_DTYPE_BYTES, type TensorReference } from './pickled-values.js';
import type { PytorchContainer } from './pytorch-container.js';
import { openZipContainer } from './zip-container.js';
import type { ReadAt } from './zip-members.js';

const ZIP_START = [0x50, 0x4b, 0x03, 0x04] as const;
const PICKLE_START = [0x80, 0x02] as const;

/** True for a file that begins as PyTorch's do, in either form. */
export async function looksLikePytorch(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return false;
  try {
    return formatOf((await file.read(Buffer.alloc(4), 0, 4, 0)).buffer) !== undefined;
  } finally {
    await file.close();
  }
}

/**
 * A checkpoint that torch.save wrote, open for reading. The pickle is read at once, by a reader that knows data only; numbers are
 * read tensor by tensor. What can be read altogether is bounded by the file's own size, whatever its pickle claims.
 */
export class PytorchFile {
  /** Elements that may still be read: one for each byte of the file, so that shared storages are no bomb. */
  private left: number;

  private constructor(
    private readonly file: FileHandle,
    private readonly container: PytorchContainer,
    private readonly readAt: ReadAt,
    fileBytes: number,
  ) {
    this.left = fileBytes;
  }

  /** Throws NOT_FOUND, WEIGHTS_MALFORMED, or PICKLE_REFUSED naming what the pickle asks for beyond data. */
  static async open(path: string): Promise<PytorchFile> {
    const file = await open(path, 'r').catch((cause: unknown) => {
      throw new FederationError('NOT_FOUND', 'the checkpoint cannot be opened', { cause, remedy: 'Check the path.' });
    });
    try {
      const { size } = await file.stat();
      const readAt = readerOf(file, size);
      return new PytorchFile(file, await openContainer(readAt, size), readAt, size);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get format(): PytorchContainer['format'] {
    return this.container.format;
  }

  /** What was saved. It may hold itself: see {@link PickledValue}. */
  get value(): PickledValue {
    return this.container.value;
  }

  /** The tensor's elements as 32-bit floats in row-major order, whatever its strides; an array of the caller's own. */
  async read({ storage, offset, shape, strides }: TensorReference): Promise<Float32Array> {
    const elements = elementCount(shape);
    if (elements === 0) return new Float32Array(0);
    const extent = 1 + shape.reduce((sum, side, axis) => sum + (side - 1) * (strides[axis] as number), 0);
    // By what comes out, too: strides of 0 make as many numbers of one as the shape says.
    this.left -= Math.max(extent, elements);
    if (this.left < 0) throw malformedCheckpoint('has tensors that share their numbers beyond all measure');
    const size = TORCH_DTYPE_BYTES[storage.dtype];
    const start = (await this.container.place(storage)) + (storage.firstElement + offset) * size;
    return gatherElements(floatsOf(await this.readAt(start, extent * size), storage.dtype), shape, strides);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

async function openContainer(readAt: ReadAt, fileBytes: number): Promise<PytorchContainer> {
  const format = formatOf(await readAt(0, Math.min(4, fileBytes)));
  if (format === 'zip') return openZipContainer(readAt, fileBytes);
  if (format === 'legacy') return openLegacyContainer(readAt, fileBytes);
  throw malformedCheckpoint('begins like none');
}

function formatOf(start: Uint8Array): PytorchContainer['format'] | undefined {
  if (ZIP_START.every((byte, index) => start[index] === byte)) return 'zip';
  return PICKLE_START.every((byte, index) => start[index] === byte) ? 'legacy' : undefined;
}

function readerOf(file: FileHandle, fileBytes: number): ReadAt {
  return async (position, length) => {
    if (position + length > fileBytes) throw malformedCheckpoint('ends before its last number');
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, position + filled);
      if (bytesRead === 0) throw malformedCheckpoint('ends before its last number');
      filled += bytesRead;
    }
    return bytes;
  };
}
