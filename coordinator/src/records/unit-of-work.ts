import { errnoOf, FederationError } from '@consilium/shared/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager, QueryRunnerAlreadyReleasedError } from 'typeorm';

/** Work that is waiting when a transaction begins shares it, up to so many pieces: an answer should not wait for too many others. */
const WORKS_PER_COMMIT = 16;

/** What a piece of work threw, as distinct from what failed around it: beginning, committing, the connection. */
class WorkFailure extends Error {
  constructor(readonly thrown: unknown) {
    super('a piece of work failed');
  }
}

interface Waiting {
  /** Settles the caller's promise once what the work wrote is on disk; throws WorkFailure. */
  readonly run: (records: EntityManager) => Promise<() => void>;
  readonly fail: (cause: unknown) => void;
}

/**
 * The one way to the database: transactions, strictly one after the other.
 *
 * There is a single connection, so two interleaved transactions would mix; queueing them also makes "read facts, decide, write"
 * atomic. Works that wait together are committed together, each behind a savepoint of its own: one flush of the disk serves
 * all of them, and one that fails takes only its own writes back. Work must not call `transact` again from inside (it would wait for
 * itself) and must not wait for the network or for large files.
 */
@Injectable()
export class UnitOfWork {
  private waiting: Waiting[] = [];
  private isBusy = false;

  constructor(private readonly dataSource: DataSource) {}

  /** Pieces of work whose transaction has not begun. */
  get waitingWorks(): number {
    return this.waiting.length;
  }

  transact<T>(work: (records: EntityManager) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (cause: unknown): void => reject(asStorageError(cause));
      const run = async (records: EntityManager): Promise<() => void> => {
        try {
          const value = await work(records);
          return () => resolve(value);
        } catch (thrown) {
          throw new WorkFailure(thrown);
        }
      };
      this.waiting.push({ run, fail });
      if (!this.isBusy) void this.commitAll();
    });
  }

  private async commitAll(): Promise<void> {
    this.isBusy = true;
    while (this.waiting.length > 0) {
      const works = this.waiting.slice(0, WORKS_PER_COMMIT);
      this.waiting = this.waiting.slice(WORKS_PER_COMMIT);
      await this.commit(works);
    }
    this.isBusy = false;
  }

  private async commit(works: readonly Waiting[]): Promise<void> {
    const [first] = works;
    if (first === undefined) return;
    const settled: (() => void)[] = [];
    try {
      await this.dataSource.transaction(async (records) => {
        // Alone, the transaction itself is what is rolled back.
        if (works.length === 1) settled.push(await first.run(records));
        else for (const work of works) settled.push(await behindSavepoint(records, work));
      });
    } catch (cause) {
      for (const { fail } of works) fail(cause);
      return;
    }
    for (const settle of settled) settle();
  }
}

/** A transaction within a transaction is a savepoint: an error goes to its own caller, the others are not touched. */
async function behindSavepoint(records: EntityManager, work: Waiting): Promise<() => void> {
  try {
    return await records.transaction((inner) => work.run(inner));
  } catch (cause) {
    // A full or failing disk or a lost connection may have ended the whole transaction: then nobody's writes are there.
    if (!(cause instanceof WorkFailure) || (isDatabaseError(cause.thrown) && !isRefusedRow(cause.thrown))) throw cause;
    return () => work.fail(cause);
  }
}

/** A row that breaks a rule of its table: an error of this work alone. In PostgreSQL class 23 of the SQLSTATE codes. */
function isRefusedRow(cause: unknown): boolean {
  return /^(SQLITE_CONSTRAINT|23\d{3}$)/.test(causeCode(cause) ?? '');
}

function causeCode(cause: unknown): string | undefined {
  return errnoOf(cause instanceof Error && 'driverError' in cause ? cause.driverError : cause);
}

function asStorageError(cause: unknown): FederationError {
  if (!(cause instanceof WorkFailure)) return unusableDatabase(cause);
  return FederationError.from(cause.thrown, isDatabaseError(cause.thrown) ? 'STORAGE_FAILED' : 'INVARIANT');
}

/** What failed outside of the work: the database could not be reached or would not commit. */
export function unusableDatabase(cause: unknown): FederationError {
  const { code, message } = FederationError.from(cause, 'STORAGE_FAILED');
  if (cause instanceof FederationError || code !== 'STORAGE_FAILED') return FederationError.from(cause);
  // Node's errors of several addresses tried in vain have no message.
  const reason = message === '' ? (errnoOf(cause) ?? 'no reason given') : message;
  return new FederationError('STORAGE_FAILED', `the database cannot be used: ${reason}`, {
    cause,
    remedy: `${remedyFor(cause)} What was not acknowledged is sent again.`,
  });
}

function remedyFor(cause: unknown): string {
  if (causeCode(cause)?.startsWith('SQLITE_BUSY') === true) return 'Another program is writing to the records’ file: end it.';
  return 'See that it runs, can be reached and knows the account.';
}

function isDatabaseError(cause: unknown): boolean {
  // A connection that breaks in the midst of a work is taken from it: its next question finds none.
  if (cause instanceof QueryRunnerAlreadyReleasedError) return true;
  return (cause instanceof Error && 'driverError' in cause) || errnoOf(cause)?.startsWith('SQLITE') === true;
}
