import type { LocalTraining } from '@consilium/shared/wire';
import type { Device } from '../engine/devices/choose-devices.js';
import { hasFastBfloat16 } from '../engine/devices/fast-bfloat16.js';
import type { Precision } from '../engine/tape.js';

/** The precision of one training and, unless it is the usual one, a sentence about it for the site's log. */
export interface ChosenPrecision {
  readonly precision: Precision;
  readonly announcement: string | undefined;
}

/** What the plan says; only a plan that says `auto` leaves the choice to the machine. */
export function choosePrecision(
  planned: LocalTraining['precision'],
  device: Device,
  isFast: (device: Device) => boolean = hasFastBfloat16,
): ChosenPrecision {
  if (planned === undefined || planned === 'f32') return { precision: 'f32', announcement: undefined };
  const fast = isFast(device);
  if (planned === 'bf16') {
    const cost = fast ? '' : '; this device has no fast bfloat16, so 32-bit floats would be quicker';
    return { precision: 'bf16', announcement: `precision: bfloat16 activations, as planned${cost}` };
  }
  return fast
    ? { precision: 'bf16', announcement: 'precision: bfloat16 activations; the plan says auto and this device is faster so' }
    : { precision: 'f32', announcement: 'precision: 32-bit floats; the plan says auto and this device has no fast bfloat16' };
}
