import { FederationError } from './federation-error.js';

/** Throws INVARIANT when the condition is false: for what only a bug of ours can break, never for input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new FederationError('INVARIANT', message);
}

/** The value, or INVARIANT when it is missing: for look-ups that a bug alone can make fail. */
export function required<T>(value: T | null | undefined, name: string): T {
  invariant(value !== null && value !== undefined, `${name} is missing`);
  return value;
}
