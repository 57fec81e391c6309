import { timingSafeEqual } from 'node:crypto';
import { FederationError } from '@consilium/shared/kernel';
import { secretDigest } from './site-credentials.js';

/** The operators: today the one who holds the home folder's token. */
export class OperatorAccounts {
  private readonly expected: Buffer;

  constructor(operatorToken: string) {
    this.expected = Buffer.from(secretDigest(operatorToken));
  }

  /** Throws OPERATOR_REFUSED unless the token is the operator's; takes the same time for every wrong one. */
  requireOperator(token: string | undefined): void {
    const given = Buffer.from(secretDigest(token ?? ''));
    if (timingSafeEqual(given, this.expected)) return;
    throw new FederationError('OPERATOR_REFUSED', 'the operator token is missing or wrong', {
      remedy: "Use the token in the coordinator folder's operator.token.",
    });
  }
}
