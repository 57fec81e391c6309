import { type Direction, type OperationObserver, Runtime } from '../runtime/runtime.js';
import type { Tensor } from '../tensor.js';
import type { StepRecord } from './operation-record.js';
import { RecordedBinding } from './recorded-binding.js';

/**
 * Records steps: every call of TensorFlow with its layer, direction, time and memory. What is to be recorded, parameters
 * included, must be made on {@link runtime}: a runtime of its own over the same TensorFlow. The given one stays as quick as ever.
 */
export class StepRecorder implements OperationObserver {
  readonly runtime: Runtime;
  private readonly binding: RecordedBinding;
  private direction: Direction = 'forward';

  constructor({ binding, native }: Runtime) {
    this.binding = new RecordedBinding(binding, () => ({ layer: this.runtime.layer, direction: this.direction }));
    this.runtime = new Runtime(this.binding, native);
    this.runtime.observer = this;
  }

  /** Does the step and tells what happened in it. */
  record(step: () => void): StepRecord {
    this.binding.restart();
    step();
    const stepMs = this.binding.nowMs();
    const { bytes, shares } = this.binding.memory.peakUse;
    return { calls: this.binding.takeCalls(), stepMs, peakTensorBytes: bytes, peakShares: shares };
  }

  observe(_operation: string, _layer: string, direction: Direction, execute: () => Tensor[]): Tensor[] {
    this.direction = direction;
    return execute();
  }

  /** Frees the constants of its runtime. */
  dispose(): void {
    this.runtime.dispose();
  }
}
