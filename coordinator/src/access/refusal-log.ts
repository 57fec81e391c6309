import { type Clock, type ErrorCode, FederationError } from '@consilium/shared/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { Log } from '../log.js';
import { CLOCK } from '../ports.js';

/** An agent that is refused asks again and again: one line tells of it for so long. */
const REPEAT_AFTER_MS = 60_000;
const MOST_REMEMBERED = 1000;

/** Part of every day: the agent asks once more and is let in. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['PROOF_STALE', 'CREDENTIAL_EXPIRED', 'COORDINATOR_BUSY']);

/** Tells the operator of sites that were not let in, with their name where it is known. */
@Injectable()
export class RefusalLog {
  private readonly told = new Map<string, number>();

  private readonly log: Log;

  constructor(
    log: Log,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('access');
  }

  /** Hands on what `admit` gives or throws. */
  async watch<T>(admit: () => Promise<T>): Promise<T> {
    try {
      return await admit();
    } catch (thrown) {
      this.tell(FederationError.from(thrown));
      throw thrown;
    }
  }

  /** The same error with the name of the site that it is about. */
  naming(thrown: unknown, site: string | undefined): unknown {
    if (!(thrown instanceof FederationError) || site === undefined || 'site' in thrown.details) return thrown;
    const { code, message, details, retryable, remedy, cause } = thrown;
    return new FederationError(code, message, { details: { ...details, site }, retryable, remedy, cause });
  }

  private tell({ code, kind, message, details }: FederationError): void {
    if (kind !== 'access' || PASSING.has(code)) return;
    const who = typeof details['site'] === 'string' ? `site ${details['site']}` : 'somebody';
    const line = `${who} was refused: ${code}, ${message}`;
    const nowMs = this.clock.nowMs();
    if (nowMs - (this.told.get(line) ?? Number.NEGATIVE_INFINITY) < REPEAT_AFTER_MS) return;
    if (this.told.size >= MOST_REMEMBERED) this.told.clear();
    this.told.set(line, nowMs);
    this.log.warn(line, { ...(typeof details['site'] === 'string' ? { site: details['site'] } : {}), code });
  }
}
