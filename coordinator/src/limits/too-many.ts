import { FederationError } from '@consilium/shared/kernel';

/** What was too much: a word for the log, the metrics and the answer. */
export const EXCESSES = ['requests', 'requests-at-once', 'messages', 'connections'] as const;
export type Excess = (typeof EXCESSES)[number];

/** The refusal, with the time after which the caller is heard again where that is known. */
export function tooMany(excess: Excess, retryInMs: number | undefined): FederationError {
  return new FederationError('TOO_MANY_REQUESTS', `more ${excess.replaceAll('-', ' ')} than this coordinator allows`, {
    details: { excess, ...(retryInMs === undefined ? {} : { retryInMs }) },
    remedy: 'The agent slows down by itself; for many sites behind one address, raise the limits in coordinator.yaml.',
  });
}
