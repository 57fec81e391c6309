import type { Device } from './choose-devices.js';

export interface DeviceSettings {
  /** TensorFloat-32 for 32-bit convolutions on cards that have it; on unless false. */
  readonly tf32?: boolean | undefined;
}

/** The environment entries that make TensorFlow compute on exactly this device; they count until it is loaded. */
export function deviceEnvironment(device: Device, { tf32 = true }: DeviceSettings = {}): Record<string, string> {
  if (device.kind === 'cpu') return { CUDA_VISIBLE_DEVICES: '-1' };
  return {
    CUDA_VISIBLE_DEVICES: device.card.uuid,
    TF_DETERMINISTIC_OPS: '1', // the same bits again: a killed trainer's work is resumed to the very same update
    ...(tf32 ? {} : { NVIDIA_TF32_OVERRIDE: '0' }),
  };
}

/** How 32-bit numbers are multiplied on the device; undefined where there is nothing to choose. */
export function describeArithmetic(device: Device, { tf32 = true }: DeviceSettings = {}): string | undefined {
  if (device.kind === 'cpu' || Number(device.card.capability) < 8.0) return undefined;
  return tf32 ? 'TF32 on (10 bits of mantissa in convolutions)' : 'TF32 off';
}
