import { z } from 'zod';

/** Fields of every spec whose network normalises; which of them go together is checked in `modelSpecSchema`. */
export const groupsField = z
  .int()
  .min(1)
  .max(64)
  .optional()
  .describe('channel groups of group norm, 8 when left out; at most as many as divide the channels');

/** What the norms of a network do. */
export interface NormChoice {
  readonly norm: 'batch' | 'instance' | 'group';
  readonly groups?: number | undefined;
}

const DEFAULT_GROUPS = 8;

/** Groups that a norm over so many channels has: the wanted number, or the most that both have in common. */
export function normGroups({ groups = DEFAULT_GROUPS }: NormChoice, channels: number): number {
  let [a, b] = [groups, channels];
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}
