import { FederationError, invariant } from '@consilium/shared/kernel';
import type { TensorflowBinding } from './runtime/tensorflow-binding.js';

/**
 * A handle on a TensorFlow tensor with counted ownership: it starts with one owner, {@link keep} adds one, {@link free}
 * gives one up, and the last one deletes the tensor. JavaScript's garbage collector plays no part: what is not freed leaks.
 */
export class Tensor {
  private owners = 1;

  constructor(
    private readonly binding: TensorflowBinding,
    private readonly tensorId: number,
    readonly shape: readonly number[],
    readonly dataType: number,
  ) {}

  /** TensorFlow's id; throws INVARIANT once the tensor is freed. */
  get id(): number {
    invariant(this.owners > 0, 'a tensor is not used after it was freed');
    return this.tensorId;
  }

  /** Adds an owner, who must free it too; returns the same handle. */
  keep(): this {
    invariant(this.owners > 0, 'a freed tensor cannot be kept');
    this.owners += 1;
    return this;
  }

  /** Gives up one ownership; memory returns at once when it was the last. */
  free(): void {
    invariant(this.owners > 0, 'a tensor is freed once by each owner');
    this.owners -= 1;
    if (this.owners === 0) this.binding.deleteTensor(this.tensorId);
  }
}

/** TensorFlow's own words as an error of ours; running out of memory is told apart because the remedy differs. */
export function operationFailed(operation: string, thrown: unknown): FederationError {
  if (thrown instanceof FederationError) return thrown;
  const words = thrown instanceof Error ? thrown.message : String(thrown);
  if (/\bOOM\b|out of memory|failed to allocate/i.test(words)) {
    return new FederationError('OUT_OF_MEMORY', `no memory was left for the operation ${operation}`, {
      remedy: 'Use a smaller batch, patch or model width, or close other programs.',
      cause: thrown,
    });
  }
  return new FederationError('OPERATION_FAILED', `TensorFlow refused ${operation}: ${words}`, {
    remedy: 'Check with "site-agent doctor" that the runtime fits this machine; otherwise report this as a fault.',
    cause: thrown,
  });
}
