import { FederationError } from '@consilium/shared/kernel';
import { PROOF_HEADER, type SigningKey, signProof } from '@consilium/shared/identity';
import {
  type CredentialAnswer,
  credentialAnswerSchema,
  type CredentialRequest,
  DATA_PATHS,
  parseWith,
} from '@consilium/shared/wire';
import { reasonInWords } from './connect-error.js';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { exchange, type HttpAnswer } from './http-exchange.js';
import type { OutgoingLine } from './outgoing-line.js';
import { hear, lackOf } from './request-identity.js';

export interface CredentialOrder {
  readonly coordinatorUrl: string;
  readonly line?: OutgoingLine | undefined;
  /** The key that the request is signed with. */
  readonly key: SigningKey;
  /** A bearer credential, whose place the key takes. */
  readonly bearer?: string | undefined;
  /** A key that takes the place of the other one. */
  readonly next?: SigningKey | undefined;
  /** What the next proof should carry, kept from request to request. */
  readonly nonces: { readonly nonce: string | undefined; heardNonce(nonce: string): void };
}

const ANSWER_WITHIN_MS = 20_000;

/**
 * Asks the coordinator for a credential. Undefined from one that knows no keys, where there is a bearer credential to use instead. Throws
 * COORDINATOR_UNREACHABLE and what the coordinator refuses.
 */
export async function requestCredential(order: CredentialOrder): Promise<CredentialAnswer | undefined> {
  let answer = await post(order);
  if (lackOf(answer) === 'nonce') answer = await post(order);
  const { status, body } = answer;
  if (status === 404 && order.bearer !== undefined) return undefined;
  if (status !== 200) throw errorOfResponse(status, body);
  return parseWith(credentialAnswerSchema, parseJson(body), 'MESSAGE_REFUSED', 'the coordinator’s answer');
}

async function post({ coordinatorUrl, line, key, bearer, next, nonces }: CredentialOrder): Promise<HttpAnswer> {
  const url = coordinatorAddress(coordinatorUrl, DATA_PATHS.credential);
  const proven = { method: 'POST', url, nonce: nonces.nonce };
  // Each of the two keys signs for the other.
  const nextProof = next && (await signProof(next, { ...proven, secret: key.thumbprint }));
  const request: CredentialRequest = { nextProof };
  const proof = await signProof(key, { ...proven, secret: bearer ?? nextProof });
  const authorization: Record<string, string> = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const headers = { [PROOF_HEADER]: proof, 'content-type': 'application/json', ...authorization };
  const answer = await exchange({
    ...{ method: 'POST', url, headers, text: JSON.stringify(request), line },
    ...{ stallMs: ANSWER_WITHIN_MS, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) },
  }).catch((cause: unknown) => {
    throw unreachable(reasonInWords(reasonOf(cause)), cause);
  });
  hear(nonces, answer);
  return answer;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw unreachable('something else than a coordinator answers', cause);
  }
}

function unreachable(reason: string, cause: unknown): FederationError {
  return new FederationError('COORDINATOR_UNREACHABLE', `the coordinator cannot be reached: ${reason}`, {
    cause,
    details: { reason },
    remedy: 'Nothing is lost; the agent tries again by itself.',
  });
}
