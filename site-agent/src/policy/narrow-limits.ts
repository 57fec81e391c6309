import type { TrainerLimits } from '../trainer/trainer-messages.js';
import type { SitePolicy } from './site-policy.js';

/**
 * The device that the settings ask for, as far as it is allowed: `auto` takes what is allowed, a named device is taken or refused.
 * Undefined when it is not allowed. TensorFlow's kernels as we load them offer no share of a card's memory, so there is none to set.
 */
export function narrowDevice(setting: string, devices: readonly string[]): string | undefined {
  const cards = devices.flatMap((device) => (device.startsWith('gpu:') ? [device.slice('gpu:'.length)] : []));
  const hasAnyCard = devices.includes('gpu');
  if (setting === 'auto') {
    // What auto would choose must be allowed whatever the machine has: it is narrowed to the one kind that is.
    if (hasAnyCard) return devices.includes('cpu') ? 'auto' : 'gpu';
    if (devices.includes('cpu')) return 'cpu';
    return `gpu:${cards[0]}`;
  }
  if (setting.startsWith('cpu')) return devices.includes('cpu') ? setting : undefined;
  if (hasAnyCard) return setting;
  const asked = setting === 'gpu' ? cards.slice(0, 1) : setting.slice('gpu:'.length).split(',');
  if (asked.length === 0 || !asked.every((card) => cards.includes(card))) return undefined;
  return `gpu:${asked.join(',')}`;
}

/** The smaller of two limits, where a missing one limits nothing. */
export function smaller(first: number | undefined, second: number | undefined): number | undefined {
  const least = Math.min(first ?? Infinity, second ?? Infinity);
  return Number.isFinite(least) ? least : undefined;
}

/**
 * The limits of the site's settings, narrowed by its policy. Where the settings ask for a device that is not allowed, the rule has
 * refused the plan before; whatever asks all the same gets one that is.
 */
export function narrowLimits(limits: TrainerLimits, { threads, devices }: SitePolicy): TrainerLimits {
  const device = devices === undefined ? limits.device : (narrowDevice(limits.device ?? 'auto', devices) ?? devices[0]);
  return { ...limits, threads: smaller(limits.threads, threads), device };
}
