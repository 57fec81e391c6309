import type { IncomingHttpHeaders } from 'node:http';
import { FederationError } from '@consilium/shared/kernel';
import type { SiteHandshake } from '@consilium/shared/wire';
import type { OutgoingLine } from './outgoing-line.js';

/**
 * Why a request was not let in that may be let in when it is made anew: its proof was not fresh, something on the way had sent it twice,
 * or the credential has expired.
 */
export type Lack = 'nonce' | 'proof' | 'credential';

/** Who this site is to its coordinator, request by request. */
export interface RequestIdentity {
  /** Headers that let one request in; another proof each time. May have to ask the coordinator, and rejects as that does. */
  headers(method: string, url: string): Promise<Record<string, string>>;
  /** What opens a connection. */
  handshake(): Promise<Pick<SiteHandshake, 'credential' | 'proof'>>;
  /** To be told what the coordinator wants the next proof to carry. */
  heardNonce(nonce: string): void;
  /** Whether the request may be let in when it is made anew. */
  cure(lack: Lack): boolean;
  /** Has the credential renewed in time from now on; returns what ends that. */
  keep(): () => void;
}

/** Where the coordinator is, and as whom to ask it. */
export interface CoordinatorAccess {
  readonly coordinatorUrl: string;
  readonly identity: RequestIdentity;
  /** The way there; the plain one when left out. */
  readonly line?: OutgoingLine | undefined;
}

/** A credential that whoever has it can use: of agents before keys, and with coordinators that know none. */
export class BearerIdentity implements RequestIdentity {
  constructor(private readonly credential: string) {}

  async headers(): Promise<Record<string, string>> {
    return { authorization: `Bearer ${this.credential}` };
  }

  async handshake(): Promise<{ credential: string }> {
    return { credential: this.credential };
  }

  heardNonce(): void {
    // It signs nothing.
  }

  cure(): boolean {
    return false;
  }

  keep(): () => void {
    return () => undefined;
  }
}

interface Head {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
}

/**
 * Sends a request with what lets it in, and again, at once, where the answer says that a fresh proof or a new credential may be all
 * that it lacks: once for each lack. Throws what passes, PROOF_STALE or CREDENTIAL_EXPIRED, when it lacks the same again, as when the
 * coordinator was started anew meanwhile.
 * @param drop is given an answer that is not returned.
 */
export async function sendAs<Answer extends Head>(
  identity: RequestIdentity,
  { method, url }: { readonly method: string; readonly url: string },
  send: (headers: Readonly<Record<string, string>>) => Promise<Answer>,
  drop: (answer: Answer) => void = () => undefined,
): Promise<Answer> {
  const lacked = new Set<Lack>();
  for (;;) {
    const answer = await send(await identity.headers(method, url));
    hear(identity, answer);
    const lack = lackOf(answer);
    const isAgain = lack !== undefined && lacked.has(lack);
    if (lack === undefined || (isAgain && lack === 'proof') || !identity.cure(lack)) return answer;
    drop(answer);
    if (isAgain) throw lackedAgain(lack);
    lacked.add(lack);
  }
}

function lackedAgain(lack: Lack): FederationError {
  const code = lack === 'nonce' ? 'PROOF_STALE' : 'CREDENTIAL_EXPIRED';
  return new FederationError(code, 'the coordinator has not let the request in, and may do so later', { retryable: true });
}

/** Keeps what an answer says about the next proof. */
export function hear(identity: Pick<RequestIdentity, 'heardNonce'>, { headers }: Head): void {
  const nonce = headers['dpop-nonce'];
  if (typeof nonce === 'string') identity.heardNonce(nonce);
}

const LACKS: Readonly<Record<string, Lack>> = {
  use_dpop_nonce: 'nonce',
  invalid_dpop_proof: 'proof',
  invalid_token: 'credential',
};

/** By the words of RFC 9449 and RFC 6750, for an answer to HEAD has no body. */
export function lackOf({ status, headers }: Head): Lack | undefined {
  const [, error = ''] = /error="(\w+)"/.exec(headers['www-authenticate'] ?? '') ?? [];
  return status === 401 ? LACKS[error] : undefined;
}
