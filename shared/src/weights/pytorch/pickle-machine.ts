/**
 * Python's pickle format, protocols 2 to 5, as far as checkpoints use it (Python's pickletools describes the operations). Only
 * operations that build data exist here. What would import or call anything goes through the list in known-globals.ts, so that a
 * hostile file can ask for code by name and be refused, and has no other way to reach any.
 */
import { malformedCheckpoint, refusedPickle } from './checkpoint-fault.js';
import { callGlobal, knownGlobal, requireKey } from './known-globals.js';
import { PickleCursor } from './pickle-cursor.js';
import { type PickledKey, PickledList, type PickledValue } from './pickled-values.js';

/** Operations of one pickle; a ResNet-200 with its optimizer needs about 100,000. It bounds time and memory. */
const MOST_OPERATIONS = 2_000_000;

const STOP = 0x2e;
const NEWEST_PROTOCOL = 5;

type Operation = (machine: PickleMachine) => void;

/**
 * Reads the pickle that begins at the position. Returns its value and where it ends. Throws PICKLE_REFUSED naming what it asks
 * for beyond data, WEIGHTS_MALFORMED when it is cut short or makes no sense.
 */
export function readPickle(
  bytes: Uint8Array,
  position: number,
  loadPersistent: (id: PickledValue) => PickledValue,
): { value: PickledValue; end: number } {
  const machine = new PickleMachine(new PickleCursor(bytes, position), loadPersistent);
  return { value: machine.run(), end: machine.cursor.position };
}

class PickleMachine {
  private stack: PickledValue[] = [];
  /** Stacks below the marks. */
  private readonly below: PickledValue[][] = [];
  private readonly memo = new Map<number, PickledValue>();
  private spent = 0;

  constructor(
    readonly cursor: PickleCursor,
    readonly loadPersistent: (id: PickledValue) => PickledValue,
  ) {}

  run(): PickledValue {
    for (;;) {
      const code = this.cursor.byte();
      if (code === STOP) return this.pop();
      const operation = OPERATIONS.get(code);
      if (operation === undefined) throw refusedPickle(`the pickle operation 0x${code.toString(16).padStart(2, '0')}`);
      this.spend(1);
      operation(this);
    }
  }

  private spend(steps: number): void {
    this.spent += steps;
    if (this.spent > MOST_OPERATIONS) throw malformedCheckpoint('has a pickle longer than that of any checkpoint');
  }

  push(value: PickledValue): void {
    this.stack.push(value);
  }

  pop(): PickledValue {
    const value = this.stack.pop();
    if (value === undefined) throw malformedCheckpoint('has a pickle that takes more than it made');
    return value;
  }

  top(): PickledValue {
    const value = this.stack.at(-1);
    if (value === undefined) throw malformedCheckpoint('has a pickle that takes more than it made');
    return value;
  }

  mark(): void {
    this.below.push(this.stack);
    this.stack = [];
  }

  /** Everything since the last mark. */
  popMarked(): PickledValue[] {
    const items = this.stack;
    const stack = this.below.pop();
    if (stack === undefined) throw malformedCheckpoint('has a pickle that lacks a mark');
    this.stack = stack;
    return items;
  }

  tuple(length: number): void {
    const items = Array.from({ length }, () => this.pop());
    this.push(items.reverse());
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  rememberNext(): void {
    this.memo.set(this.memo.size, this.top());
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw malformedCheckpoint('has a pickle that recalls what it never kept');
    this.push(value);
  }

  append(items: readonly PickledValue[]): void {
    const list = this.top();
    if (!(list instanceof PickledList)) throw malformedCheckpoint('appends to something that is no list');
    for (const item of items) list.items.push(item);
  }

  setItems(items: readonly PickledValue[]): void {
    const dict = this.top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw malformedCheckpoint('sets items of something that is no dict');
    for (let index = 0; index < items.length; index += 2) dict.set(requireKey(items[index]), items[index + 1] as PickledValue);
  }

  /** An ordered dict's attributes (a state dict's versions) are of no use here; nothing else has attributes. */
  build(): void {
    this.pop();
    if (!(this.top() instanceof Map)) throw refusedPickle('attributes of something that has none');
  }

  global(module: PickledValue, name: PickledValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw malformedCheckpoint('loads something without a name');
    this.push(knownGlobal(module, name));
  }

  /** The arguments are on top of what is called. */
  call(): void {
    const args = this.pop();
    this.push(callGlobal(this.pop(), args, (steps) => this.spend(steps)));
  }

  protocol(version: number): void {
    if (version < 2 || version > NEWEST_PROTOCOL) throw malformedCheckpoint(`is a pickle of protocol ${version}`);
  }
}

function popPair(machine: PickleMachine): [PickledValue, PickledValue] {
  const second = machine.pop();
  return [machine.pop(), second];
}

function emptyDict(): Map<PickledKey, PickledValue> {
  return new Map();
}

/** By code; the names are those of Python's pickletools. */
const OPERATIONS: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  // PROTO, FRAME
  [0x80, (machine) => machine.protocol(machine.cursor.byte())],
  [0x95, (machine) => void machine.cursor.uint64()],
  // MARK, POP
  [0x28, (machine) => machine.mark()],
  [0x30, (machine) => void machine.pop()],
  // NONE, NEWTRUE, NEWFALSE
  [0x4e, (machine) => machine.push(null)],
  [0x88, (machine) => machine.push(true)],
  [0x89, (machine) => machine.push(false)],
  // BININT, BININT1, BININT2, LONG1, LONG4, BINFLOAT
  [0x4a, (machine) => machine.push(machine.cursor.int32())],
  [0x4b, (machine) => machine.push(machine.cursor.byte())],
  [0x4d, (machine) => machine.push(machine.cursor.uint16())],
  [0x8a, (machine) => machine.push(machine.cursor.integer(machine.cursor.byte()))],
  [0x8b, (machine) => machine.push(machine.cursor.integer(machine.cursor.uint32()))],
  [0x47, (machine) => machine.push(machine.cursor.float64())],
  // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; of Python 2: BINSTRING, SHORT_BINSTRING
  [0x58, (machine) => machine.push(machine.cursor.text(machine.cursor.uint32()))],
  [0x8c, (machine) => machine.push(machine.cursor.text(machine.cursor.byte()))],
  [0x8d, (machine) => machine.push(machine.cursor.text(machine.cursor.uint64()))],
  [0x54, (machine) => machine.push(machine.cursor.text(machine.cursor.uint32()))],
  [0x55, (machine) => machine.push(machine.cursor.text(machine.cursor.byte()))],
  // EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3, TUPLE
  [0x29, (machine) => machine.tuple(0)],
  [0x85, (machine) => machine.tuple(1)],
  [0x86, (machine) => machine.tuple(2)],
  [0x87, (machine) => machine.tuple(3)],
  [0x74, (machine) => machine.push(machine.popMarked())],
  // EMPTY_LIST, APPEND, APPENDS
  [0x5d, (machine) => machine.push(new PickledList())],
  [0x61, (machine) => machine.append([machine.pop()])],
  [0x65, (machine) => machine.append(machine.popMarked())],
  // EMPTY_DICT, SETITEM, SETITEMS
  [0x7d, (machine) => machine.push(emptyDict())],
  [0x73, (machine) => machine.setItems(popPair(machine))],
  [0x75, (machine) => machine.setItems(machine.popMarked())],
  // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
  [0x71, (machine) => machine.remember(machine.cursor.byte())],
  [0x72, (machine) => machine.remember(machine.cursor.uint32())],
  [0x94, (machine) => machine.rememberNext()],
  [0x68, (machine) => machine.recall(machine.cursor.byte())],
  [0x6a, (machine) => machine.recall(machine.cursor.uint32())],
  // GLOBAL, STACK_GLOBAL
  [0x63, (machine) => machine.global(machine.cursor.line(), machine.cursor.line())],
  [0x93, (machine) => machine.global(...popPair(machine))],
  // REDUCE, BUILD, BINPERSID
  [0x52, (machine) => machine.call()],
  [0x62, (machine) => machine.build()],
  [0x51, (machine) => machine.push(machine.loadPersistent(machine.pop()))],
]);
