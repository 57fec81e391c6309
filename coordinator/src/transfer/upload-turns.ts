import { FederationError } from '@consilium/shared/kernel';

interface Waiting {
  readonly uploadId: string;
  readonly ticket: number;
  readonly begin: () => void;
}

/**
 * How many uploads are received at a time. The others wait unread, in the order in which they first asked: an upload that was told
 * to come back later keeps its place until it has had its turn.
 */
export class UploadTurns {
  private waiting: Waiting[] = [];
  private readonly tickets = new Map<string, number>();
  private nextTicket = 0;
  private active = 0;

  constructor(
    private readonly atOnce: number,
    /** Shorter than the silence after which a site takes its connection for dead. */
    private readonly patienceMs: number,
  ) {}

  /** Uploads at this moment. */
  get counts(): { readonly active: number; readonly waiting: number } {
    return { active: this.active, waiting: this.waiting.length };
  }

  /**
   * Resolves when it is the upload's turn, with what ends the turn. Throws COORDINATOR_BUSY after the patience, and what aborted
   * the signal.
   */
  async take(uploadId: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const ticket = this.tickets.get(uploadId) ?? this.nextTicket++;
    this.tickets.set(uploadId, ticket);
    if (this.active >= this.atOnce || this.waiting.length > 0) await this.wait(uploadId, ticket, signal);
    else this.active++;
    this.tickets.delete(uploadId);
    let hasEnded = false;
    return () => {
      if (!hasEnded) this.release();
      hasEnded = true;
    };
  }

  /** The upload is gone and keeps no place. */
  forget(uploadId: string): void {
    this.tickets.delete(uploadId);
  }

  private wait(uploadId: string, ticket: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.waiting = this.waiting.filter((other) => other !== place);
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const begin = (): void => {
        leave();
        this.active++;
        resolve();
      };
      const timer = setTimeout(() => {
        leave();
        reject(busy(this.atOnce));
      }, this.patienceMs);
      signal.addEventListener('abort', onAbort);
      const place = { uploadId, ticket, begin };
      this.waiting = [...this.waiting, place].sort((a, b) => a.ticket - b.ticket);
    });
  }

  private release(): void {
    this.active--;
    this.waiting[0]?.begin();
  }
}

function busy(atOnce: number): FederationError {
  return new FederationError('COORDINATOR_BUSY', 'other uploads are being received', {
    details: { uploadsAtOnce: atOnce },
    remedy: 'The site comes back by itself and keeps its place; raise "uploadsAtOnce" if this lasts.',
  });
}
