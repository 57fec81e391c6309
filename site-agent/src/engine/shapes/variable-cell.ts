import { invariant } from '@consilium/shared/kernel';
import type { BufferLedger, SharedBuffer } from './buffer-ledger.js';

/** What a resource handle points to: a buffer that reads share and updates change in place. */
export class VariableCell {
  private buffer: SharedBuffer | undefined;

  constructor(
    private readonly ledger: BufferLedger,
    readonly shape: readonly number[],
    readonly dataType: number,
  ) {}

  /** The value's buffer; throws while nothing was assigned. */
  get value(): SharedBuffer {
    invariant(this.buffer !== undefined, 'a variable is read only after it was assigned');
    return this.buffer;
  }

  /** From now on shares the buffer of a tensor, as TensorFlow's assignment does. */
  assign(buffer: SharedBuffer): void {
    this.ledger.hold(buffer);
    this.dispose();
    this.buffer = buffer;
  }

  /** An update in place; while a view shares the buffer, TensorFlow copies it first. */
  update(): void {
    const { value } = this;
    if (value.holders > 1) this.assign(this.ledger.create(value.bytes));
  }

  dispose(): void {
    if (this.buffer !== undefined) this.ledger.release(this.buffer);
    this.buffer = undefined;
  }
}
