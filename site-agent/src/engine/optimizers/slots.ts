import { inManifestOrder, type Manifest, type WeightSet } from '@consilium/shared/weights';
import { invariant } from '@consilium/shared/kernel';
import { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';

/** Name of the step counter in an optimizer's state; f32 holds it exactly up to 16,777,216 steps. */
const STEP = 'step';

/** Variables beside each parameter (momentum, moments) and the count of updates made. */
export class Slots {
  /** Updates made so far. */
  step = 0;
  private readonly slots = new Map<string, Parameter>();
  private readonly manifest: Manifest;

  /** All slots start at zero, and take no memory until they are needed. */
  constructor(runtime: Runtime, parameters: readonly Parameter[], kinds: readonly string[]) {
    for (const kind of kinds) {
      for (const { name, shape } of parameters) {
        const slot = new Parameter(runtime, `${kind}.${name}`, shape);
        this.slots.set(slot.name, slot);
      }
    }
    const entries = [...this.slots.values()].map(({ name, shape }) => ({ name, shape }));
    this.manifest = {
      tensors: [...entries, { name: STEP, shape: [1] }].map((entry) => ({ ...entry, dtype: 'F32', scope: 'site-local' })),
    };
  }

  of(kind: string, parameter: Parameter): Parameter {
    const slot = this.slots.get(`${kind}.${parameter.name}`);
    invariant(slot !== undefined, `the optimizer has a slot ${kind} for ${parameter.name}`);
    return slot;
  }

  read(): WeightSet {
    return this.manifest.tensors.map(({ name, shape }) => ({
      name,
      shape,
      values: this.slots.get(name)?.read() ?? Float32Array.of(this.step),
    }));
  }

  load(state: WeightSet): void {
    for (const { name, values } of inManifestOrder(state, this.manifest, 'the optimizer state')) {
      const slot = this.slots.get(name);
      if (slot === undefined) this.step = values[0] ?? 0;
      else slot.load(values);
    }
  }

  dispose(): void {
    for (const slot of this.slots.values()) slot.dispose();
    this.slots.clear();
  }
}
