import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, FederationError } from '@consilium/shared/kernel';
import {
  checkProof,
  NONCE_HEADER,
  PROOF_HEADER,
  PROOF_SCHEME,
  type PublicKey,
  readCredential,
  signCredential,
  type SigningKey,
  type SoundProof,
} from '@consilium/shared/identity';
import { type CredentialAnswer, type CredentialRequest, type SiteHandshake, SOCKET_PATH } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { RequestLimits } from '../limits/request-limits.js';
import { Presence } from '../live/presence.js';
import { CLOCK, CONFIG, COORDINATOR_KEY } from '../ports.js';
import type { Site } from '../sites/site.entity.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { rememberSite } from './calling-site.js';
import { OpenRequests } from './open-requests.js';
import { ProofNonces } from './proof-nonces.js';
import { RefusalLog } from './refusal-log.js';
import { bearerToken } from './site-credentials.js';

/** A site that may come in. */
export interface Welcome {
  readonly site: Site;
  /** When its credential expires; undefined for a bearer credential, which does not. */
  readonly expiresAtMs: number | undefined;
}

/** What a site shows of itself, however it came. */
interface Shown {
  readonly method: string;
  readonly path: string;
  readonly credential: string | undefined;
  readonly proof: string | undefined;
}

/** Whom the coordinator lets in: sites with a credential that it has signed and a proof of their key, or with a bearer credential. */
@Injectable()
export class SiteAccess {
  /** When the newest credential of a site expires, as far as this process has signed one. */
  private readonly expiries = new Map<string, number>();

  constructor(
    private readonly sites: SiteDirectory,
    private readonly nonces: ProofNonces,
    private readonly requests: OpenRequests,
    private readonly presence: Presence,
    private readonly refusals: RefusalLog,
    private readonly limits: RequestLimits,
    @Inject(COORDINATOR_KEY) private readonly key: SigningKey,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The site that a request comes from; until its answer is over, {@link OpenRequests} can cut it. Throws TOO_MANY_REQUESTS for a site
   * that asks more, or more at once, than it may.
   */
  async admitRequest(request: IncomingMessage, response: ServerResponse): Promise<Site> {
    const { authorization } = request.headers;
    const credential = signedCredential(authorization);
    if (credential !== undefined) this.offerNonce(response);
    const { site } = await this.refusals.watch(() =>
      credential === undefined
        ? this.admitBearer(bearerToken(authorization))
        : this.admitSigned({ ...requestLine(request), credential, proof: proofOf(request) }),
    );
    this.limits.requireSite(site.id, this.requests.countOf(site.id));
    this.requests.track(site.id, response);
    rememberSite(request, site);
    return site;
  }

  /** The site that opens a connection. */
  async admitConnection({ credential, proof }: Pick<SiteHandshake, 'credential' | 'proof'>): Promise<Welcome> {
    return this.refusals.watch(() =>
      proof === undefined
        ? this.admitBearer(credential)
        : this.admitSigned({ method: 'GET', path: SOCKET_PATH, credential, proof }),
    );
  }

  /** When the site's access ends unless it renews its credential, to be asked again by then. */
  expiresAtMs(siteId: string): number {
    return this.expiries.get(siteId) ?? 0;
  }

  /** The key that a joining agent proves to hold, bound to its token; undefined for an agent that has none, where those may join. */
  async joiningKey(request: IncomingMessage, token: string): Promise<PublicKey | undefined> {
    return this.refusals.watch(async () => {
      const proof = proofOf(request);
      if (proof !== undefined) return (await this.freshProof({ ...requestLine(request), credential: token, proof })).publicKey;
      if (this.config.bearerCredentials) return undefined;
      throw noBearers({});
    });
  }

  /**
   * A new credential for the site whose key has signed the request, also when the one before has expired or was of another key of
   * this coordinator's. With a bearer credential and a key that is not known yet, the key takes the credential's place; with the proof
   * of another key, that one takes the place of the key, whose connection and requests are cut.
   */
  async renew(request: IncomingMessage, response: ServerResponse, { nextProof }: CredentialRequest): Promise<CredentialAnswer> {
    this.offerNonce(response);
    const bearer = bearerToken(request.headers.authorization);
    const line = requestLine(request);
    const site = await this.refusals.watch(async () => {
      const shown = { ...line, credential: bearer ?? nextProof, proof: proofOf(request) };
      const proof = await this.freshProof(shown);
      const { publicKey, thumbprint } = proof;
      const known = await this.sites.keyHolder(thumbprint);
      if (known?.state !== 'enrolled' && bearer !== undefined) return this.endBefore(await this.sites.trade(bearer, publicKey));
      const holder = SiteDirectory.requireEnrolled(known, 'this site’s key');
      this.nonces.take(proof);
      if (nextProof === undefined || bearer !== undefined) return holder;
      const next = await this.freshProof({ ...line, credential: thumbprint, proof: nextProof });
      return this.endBefore(await this.sites.replaceKey(thumbprint, next.publicKey));
    });
    return this.issue(site, site.keyThumbprint ?? '');
  }

  /** Whoever came in with what the site has shown before. */
  private endBefore(site: Site): Site {
    this.presence.refuse(site.id, new FederationError('CREDENTIAL_EXPIRED', 'the site has a new key', { retryable: true }));
    this.requests.cut(site.id);
    return site;
  }

  /** Signs a credential for a site that has just shown its key. */
  async issue(site: Site, thumbprint: string): Promise<CredentialAnswer> {
    const expiresInMs = this.config.credentialLifetimeMs;
    const expiresAtMs = this.clock.nowMs() + expiresInMs;
    const credential = await signCredential(this.key, { siteId: site.id, thumbprint, expiresAtMs });
    await this.sites.noteCredential(site.id, expiresAtMs);
    this.expiries.set(site.id, expiresAtMs);
    return { credential, expiresInMs, coordinatorKey: this.key.thumbprint };
  }

  private async admitSigned(shown: Shown): Promise<Welcome> {
    const { siteId, thumbprint, expiresAtMs } = await readCredential(this.key, shown.credential ?? '', this.clock.nowMs());
    const holder = await this.sites.keyHolder(thumbprint);
    try {
      const proof = await this.freshProof(shown);
      if (proof.thumbprint !== thumbprint) throw otherKey();
      const site = SiteDirectory.requireEnrolled(holder, 'this site’s key');
      // The key is of another site now than when the credential was signed: a restored record, or a stolen key.
      if (site.id !== siteId) throw otherKey();
      this.nonces.take(proof);
      return { site, expiresAtMs };
    } catch (thrown) {
      throw this.refusals.naming(thrown, holder?.name);
    }
  }

  private async admitBearer(credential: string | undefined): Promise<Welcome> {
    const site = await this.sites.authenticate(credential);
    if (this.config.bearerCredentials) return { site, expiresAtMs: undefined };
    throw noBearers({ site: site.name });
  }

  /** Of whatever key; it has not been taken yet, so that it may have come before. */
  private async freshProof(shown: Shown): Promise<SoundProof> {
    const { method, path, credential: secret } = shown;
    const proof = await checkProof(shown.proof, { method, path, secret });
    this.nonces.requireFresh(proof);
    return proof;
  }

  /** For the site's next proof, whatever becomes of this request. */
  private offerNonce(response: ServerResponse): void {
    response.setHeader(NONCE_HEADER, this.nonces.current);
  }
}

function noBearers(details: { readonly site?: string }): FederationError {
  return new FederationError('CREDENTIAL_REFUSED', 'this coordinator accepts no bearer credentials any more', {
    details: { ...details },
    remedy: 'Start a newer site agent: it makes a key and trades its credential by itself.',
  });
}

function otherKey(): FederationError {
  return new FederationError('PROOF_REFUSED', 'the request was not signed with the key of this credential', {
    remedy: 'Stop whoever uses a copy of the credential; have the operator revoke the site if it is not yours.',
  });
}

function signedCredential(authorization: string | undefined): string | undefined {
  const [scheme, credential] = (authorization ?? '').split(' ', 2);
  return scheme?.toLowerCase() === PROOF_SCHEME.toLowerCase() ? credential : undefined;
}

/** Twice the header counts as a malformed proof. */
function proofOf(request: IncomingMessage): string | undefined {
  const proof = request.headers[PROOF_HEADER];
  return Array.isArray(proof) ? proof.join() : proof;
}

/** As it came in: what is mounted below a path sees only the rest of it. */
function requestLine(request: IncomingMessage & { readonly originalUrl?: string }): { method: string; path: string } {
  const [path = ''] = (request.originalUrl ?? request.url ?? '').split('?', 1);
  return { method: request.method ?? '', path };
}
