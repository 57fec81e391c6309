import type { LocalTraining } from '@consilium/shared/wire';
import { type Bfloat16Support, bfloat16Support } from '../engine/devices/bfloat16-support.js';
import type { Device } from '../engine/devices/choose-devices.js';
import type { Precision } from '../engine/tape.js';

/** The precision of one training and, unless it is the usual one, a sentence about it for the site's log. */
export interface ChosenPrecision {
  readonly precision: Precision;
  readonly announcement: string | undefined;
}

/**
 * What the plan says, if the device computes it well: where bfloat16 is both coarser and slower than it should be, a plan that
 * asks for it is trained in 32-bit floats. A plan that says `auto` leaves the choice to the machine.
 */
export function choosePrecision(
  planned: LocalTraining['precision'],
  device: Device,
  supportOf: (device: Device) => Bfloat16Support = bfloat16Support,
): ChosenPrecision {
  if (planned === undefined || planned === 'f32') return { precision: 'f32', announcement: undefined };
  const support = supportOf(device);
  return planned === 'bf16' ? asPlanned(support) : asSuits(support);
}

function asPlanned(support: Bfloat16Support): ChosenPrecision {
  if (support === 'poor') {
    const reason =
      'the plan says bfloat16, which this processor computes coarsely and slowly (no AVX-512, or avx512_bf16 without AMX)';
    return { precision: 'f32', announcement: `precision: 32-bit floats; ${reason}` };
  }
  const cost = support === 'fast' ? '' : '; this device has no fast bfloat16, so 32-bit floats would be quicker';
  return { precision: 'bf16', announcement: `precision: bfloat16 activations, as planned${cost}` };
}

function asSuits(support: Bfloat16Support): ChosenPrecision {
  return support === 'fast'
    ? { precision: 'bf16', announcement: 'precision: bfloat16 activations; the plan says auto and this device is faster so' }
    : { precision: 'f32', announcement: 'precision: 32-bit floats; the plan says auto and this device has no fast bfloat16' };
}
