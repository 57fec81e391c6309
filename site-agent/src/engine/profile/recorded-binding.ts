import type { OperationAttribute, TensorflowBinding, TensorMetadata, TensorValues } from '../runtime/tensorflow-binding.js';
import { MemoryMirror } from './memory-mirror.js';
import type { OperationRecord, Place } from './operation-record.js';

/**
 * A binding that notes time and memory of every call. The step's clock stands still while it keeps its records, so that what
 * is not inside TensorFlow is the engine's own JavaScript.
 */
export class RecordedBinding implements TensorflowBinding {
  readonly TF_Version: string;
  readonly memory = new MemoryMirror();
  private calls: OperationRecord[] = [];
  private startedAtMs = performance.now();
  private recordingMs = 0;

  /** `locate` tells where in the network the present call belongs. */
  constructor(
    private readonly binding: TensorflowBinding,
    private readonly locate: () => Pick<Place, 'layer' | 'direction'>,
  ) {
    this.TF_Version = binding.TF_Version;
  }

  /** Begins a new step: times count from now, the peak from what is alive. */
  restart(): void {
    this.memory.beginStep();
    this.calls = [];
    this.recordingMs = 0;
    this.startedAtMs = performance.now();
  }

  /** Since the last {@link restart}, without the time spent on records. */
  nowMs(): number {
    return performance.now() - this.startedAtMs - this.recordingMs;
  }

  /** The calls since the last {@link restart}, once. */
  takeCalls(): OperationRecord[] {
    const { calls } = this;
    this.calls = [];
    return calls;
  }

  createTensor(shape: readonly number[], dataType: number, values: TensorValues | readonly Uint8Array[]): number {
    return this.noted(
      'createTensor',
      () => this.binding.createTensor(shape, dataType, values),
      (id, place) => this.memory.created(id, shape, dataType, values, place),
    );
  }

  deleteTensor(id: number): void {
    this.noted(
      'deleteTensor',
      () => this.binding.deleteTensor(id),
      () => this.memory.deleted(id),
    );
  }

  tensorDataSync(id: number): ReturnType<TensorflowBinding['tensorDataSync']> {
    return this.noted(
      'readTensor',
      () => this.binding.tensorDataSync(id),
      () => undefined,
    );
  }

  executeOp(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputIds: readonly number[],
    outputCount: number,
  ): TensorMetadata[] {
    return this.noted(
      operation,
      () => this.binding.executeOp(operation, attributes, inputIds, outputCount),
      (outputs, place) => this.memory.executed(operation, attributes, inputIds, outputs, place),
    );
  }

  isUsingGpuDevice(): boolean {
    return this.binding.isUsingGpuDevice();
  }

  getNumOfTensors(): number {
    return this.binding.getNumOfTensors();
  }

  private noted<T>(operation: string, call: () => T, account: (result: T, place: Place) => void): T {
    const startMs = this.nowMs();
    const result = call();
    const durationMs = this.nowMs() - startMs;
    const recordingSince = performance.now();
    const place: Place = { operation, ...this.locate() };
    account(result, place);
    const tensorBytes = this.memory.liveBytes;
    this.calls.push({ ...place, startMs, durationMs, tensorBytes, residentBytes: process.memoryUsage.rss() });
    this.recordingMs += performance.now() - recordingSince;
    return result;
  }
}
