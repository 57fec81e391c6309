import type { Clock, FederationError } from '@consilium/shared/kernel';
import { RateLimit } from './rate-limit.js';
import type { RequestLimits } from './request-limits.js';
import { tooMany } from './too-many.js';

/** Messages in a row that are answered with a refusal, in seconds' worth; whoever still does not listen is cut off. */
const PATIENCE_SECONDS = 100;

/** What is used of a socket of socket.io. */
interface LimitedSocket {
  readonly id: string;
  use(hear: (message: unknown[], next: () => void) => void): unknown;
  emit(event: string, value: unknown): unknown;
  disconnect(close: boolean): unknown;
}

/**
 * Bounds how many messages a connection may send a second, of any kind, before one is read. What is too much is not handled and, where
 * an answer was asked for, answered with TOO_MANY_REQUESTS; a flood that goes on ends the connection.
 */
export function limitMessages(socket: LimitedSocket, perSecond: number, clock: Clock, limits: RequestLimits): void {
  const limit = new RateLimit(perSecond, clock);
  let refusedInARow = 0;
  socket.use((message, next) => {
    const retryInMs = limit.take(socket.id);
    if (retryInMs === 0) {
      refusedInARow = 0;
      next();
      return;
    }
    limits.countRefusal('messages');
    refusedInARow++;
    const error = tooMany('messages', retryInMs);
    answer(message, error);
    if (refusedInARow <= perSecond * PATIENCE_SECONDS) return;
    socket.emit('site:refused', error.toReport());
    socket.disconnect(true);
  });
}

function answer(message: readonly unknown[], error: FederationError): void {
  const acknowledge = message.at(-1);
  if (typeof acknowledge === 'function') (acknowledge as (value: unknown) => void)({ ok: false, error: error.toReport() });
}
