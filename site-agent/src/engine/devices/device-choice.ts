import { FederationError } from '@consilium/shared/kernel';

/** What a site asks to compute on. */
export type DeviceChoice =
  /** The first card that can be used, else the processor. */
  | { readonly kind: 'auto' }
  /** Trainers side by side on the processor: one, or several to try out data-parallel training without cards. */
  | { readonly kind: 'cpu'; readonly trainers: number }
  /** One card that can be used, or exactly these, by the numbers that nvidia-smi gives them. */
  | { readonly kind: 'gpu'; readonly indices: readonly number[] | 'first' };

const FORM = /^(cpu|gpu)(?::(\d{1,3}(?:,\d{1,3})*))?$/;

/** Reads `auto`, `cpu`, `gpu`, `gpu:0` or `gpu:0,1` (and `cpu:0,1` for two trainers on the processor). Throws CONFIG_INVALID. */
export function parseDeviceChoice(text: string): DeviceChoice {
  if (text === 'auto') return { kind: 'auto' };
  const [, kind, list] = FORM.exec(text) ?? [];
  const indices = list?.split(',').map(Number);
  if (kind === undefined || (indices !== undefined && new Set(indices).size !== indices.length)) {
    throw new FederationError('CONFIG_INVALID', `"${text}" names no device`, {
      details: { field: 'device' },
      remedy: 'Use auto, cpu, gpu, gpu:0, or gpu:0,1 for two cards at once.',
    });
  }
  return kind === 'cpu' ? { kind, trainers: indices?.length ?? 1 } : { kind: 'gpu', indices: indices ?? 'first' };
}
