import { errnoOf, FederationError } from '@consilium/shared/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';

/**
 * The one way to the database: transactions, strictly one after the other.
 *
 * SQLite has a single connection, so two interleaved transactions would mix; queueing them also makes "read facts, decide,
 * write" atomic. Work must not call `transact` again from inside (it would wait for itself) and must not wait for the network
 * or for large files.
 */
@Injectable()
export class UnitOfWork {
  private tail: Promise<unknown> = Promise.resolve();

  constructor(private readonly dataSource: DataSource) {}

  transact<T>(work: (records: EntityManager) => Promise<T>): Promise<T> {
    const result = this.tail
      .then(() => this.dataSource.transaction(work))
      .catch((cause: unknown) => {
        throw FederationError.from(cause, isDatabaseError(cause) ? 'STORAGE_FAILED' : 'INVARIANT');
      });
    this.tail = result.catch(() => undefined);
    return result;
  }
}

function isDatabaseError(cause: unknown): boolean {
  return (cause instanceof Error && 'driverError' in cause) || errnoOf(cause)?.startsWith('SQLITE') === true;
}
