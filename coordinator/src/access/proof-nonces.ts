import { randomBytes } from 'node:crypto';
import { FederationError } from '@consilium/shared/kernel';
import type { SoundProof } from '@consilium/shared/identity';
import { Injectable } from '@nestjs/common';

/** A nonce is given out for so long, and taken for as long again. */
const GIVEN_OUT_MS = 60_000;

/** Many more requests than an honest site makes while one nonce is given out. */
const PROOFS_PER_SITE = 20_000;

/** A nonce with the proofs that were made with it, by site's key. */
interface Period {
  readonly nonce: string;
  readonly spent: Map<string, Set<string>>;
}

function newPeriod(): Period {
  return { nonce: randomBytes(18).toString('base64url'), spent: new Map() };
}

/**
 * What makes a proof fresh (RFC 9449, section 8): a random word that the coordinator gives out and takes for a minute or two. So the
 * clocks of sites count nothing, and what must be remembered against replays is what came within that time. One word serves all
 * sites: a proof is bound to its key.
 */
@Injectable()
export class ProofNonces {
  private present = newPeriod();
  private before = newPeriod();
  private sinceMs: number;

  /** Time that only goes forward, whatever is done to the machine's clock. */
  constructor(private readonly elapsedMs: () => number = () => performance.now()) {
    this.sinceMs = elapsedMs();
  }

  /** What the next proof should carry. */
  get current(): string {
    this.turn();
    return this.present.nonce;
  }

  /** PROOF_STALE, with the nonce to use, when the proof was made too long ago. Remembers nothing of it. */
  requireFresh({ nonce }: Pick<SoundProof, 'nonce'>): void {
    this.periodOf(nonce);
  }

  /**
   * Takes a fresh proof, once; PROOF_REFUSED when it came before. Only for keys of sites: what strangers make up by the thousand must
   * not be remembered.
   */
  take({ nonce, thumbprint, id }: SoundProof): void {
    const period = this.periodOf(nonce);
    const spent = period.spent.get(thumbprint) ?? new Set<string>();
    if (spent.has(id)) {
      // Something on the way may have sent it twice: with a proof of its own, the request is welcome.
      throw new FederationError('PROOF_REFUSED', 'the proof of the site’s key was used before', {
        retryable: true,
        remedy: 'A proxy that repeats requests may be the reason; else somebody tries what he has overheard.',
      });
    }
    if (spent.size >= PROOFS_PER_SITE) {
      throw new FederationError('COORDINATOR_BUSY', 'this site makes too many requests', {
        remedy: 'It is heard again in a minute.',
      });
    }
    period.spent.set(thumbprint, spent.add(id));
  }

  private periodOf(nonce: string | undefined): Period {
    this.turn();
    const period = [this.present, this.before].find((one) => one.nonce === nonce);
    if (period !== undefined) return period;
    throw new FederationError('PROOF_STALE', 'the proof of the site’s key carries no nonce that is in use', {
      details: { nonce: this.present.nonce },
      retryable: true,
      remedy: 'The agent repeats the request by itself.',
    });
  }

  private turn(): void {
    const nowMs = this.elapsedMs();
    const turns = Math.floor((nowMs - this.sinceMs) / GIVEN_OUT_MS);
    if (turns < 1) return;
    this.before = turns === 1 ? this.present : newPeriod();
    this.present = newPeriod();
    this.sinceMs += turns * GIVEN_OUT_MS;
  }
}
