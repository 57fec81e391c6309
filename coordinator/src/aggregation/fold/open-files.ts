import { type FileHandle, open, rm } from 'node:fs/promises';
import { type DigestAlgorithm, openDigest, type RunningDigest } from '@consilium/shared/kernel';
import { encodeHeader, SafetensorsFile, type TensorDtype } from '@consilium/shared/weights';

/** A weight file that threads fill while its head is written and its parts are digested here. */
export interface OutputFile {
  readonly file: FileHandle;
  readonly bytes: number;
  /** Where each tensor starts, in the order in which they were given. */
  readonly starts: readonly number[];
  /** Has seen the head. */
  readonly running: RunningDigest;
}

/** The files of one fold: closed together, and what was written is removed unless the fold has kept it. */
export class OpenFiles {
  private readonly inputs: SafetensorsFile[] = [];
  private readonly outputs: { readonly path: string; readonly file: FileHandle }[] = [];
  private isKept = false;

  async openInput(path: string): Promise<SafetensorsFile> {
    const file = await SafetensorsFile.open(path);
    this.inputs.push(file);
    return file;
  }

  /** Creates the file in its full size. Throws what the file system says when there is no room for it. */
  async createOutput(
    path: string,
    tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: TensorDtype }[],
    metadata: Readonly<Record<string, string>>,
    algorithm: DigestAlgorithm,
  ): Promise<OutputFile> {
    const { bytes: head, header } = encodeHeader(tensors, metadata);
    const file = await open(path, 'w+');
    this.outputs.push({ path, file });
    await file.truncate(header.fileBytes);
    await file.write(head, 0, head.byteLength, 0);
    const running = openDigest(algorithm);
    running.update(head);
    return { file, bytes: header.fileBytes, starts: header.tensors.map(({ start }) => start), running };
  }

  /** Brings what was written to the disk. */
  async keep(): Promise<void> {
    for (const { file } of this.outputs) await file.sync();
    this.isKept = true;
  }

  async close(): Promise<void> {
    for (const input of this.inputs) await input.close();
    for (const { path, file } of this.outputs) {
      await file.close();
      if (!this.isKept) await rm(path, { force: true });
    }
  }
}
