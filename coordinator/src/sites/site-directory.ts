import { type Clock, FederationError, newId, required } from '@consilium/shared/kernel';
import { type PublicKey, thumbprintOf } from '@consilium/shared/identity';
import type { AuditSubject } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { issueEnrolmentToken, issueSiteCredential, secretDigest } from '../access/site-credentials.js';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CLOCK, CONFIG } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Site } from './site.entity.js';

const ENROL_AGAIN = 'Ask the operator for a new enrolment token ("coordinator site enrol NAME") and join again.';

const NO_KEY = { publicKey: null, keyThumbprint: null, credentialExpiresAtMs: null };

/** The same end of a rest, told twice over a slow line. */
const REST_TOLERANCE_MS = 60_000;

/** Who takes part: invitations, enrolments, credentials, revocations. */
@Injectable()
export class SiteDirectory {
  /** Sites by what they show, so that not every request of an upload asks the database; emptied by each change. */
  private readonly authenticated = new Map<string, Site>();
  private changes = 0;
  /** What each site last said of its rest: most have nothing new to say. */
  private readonly rests = new Map<string, number | null>();

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** A one-time token for a new site, or a fresh one for a site that has not enrolled yet or was revoked; else NAME_TAKEN. */
  async invite(name: string, by: AuditActor): Promise<{ site: Site; token: string; expiresAtMs: number }> {
    const { secret, digest } = issueEnrolmentToken();
    const nowMs = this.clock.nowMs();
    const expiresAtMs = nowMs + this.config.tokenLifetimeMs;
    const site = await this.unitOfWork.transact(async (records) => {
      const known = await records.findOneBy(Site, { name });
      if (known?.state === 'enrolled') {
        throw new FederationError('NAME_TAKEN', `a site named ${name} is already enrolled`, {
          remedy: `Choose another name, or revoke it first with "coordinator site revoke ${name}".`,
        });
      }
      const fresh = { id: newId('site'), name, createdAtMs: nowMs, agentVersion: null, enrolledAtMs: null, lastSeenAtMs: null };
      const invited = {
        state: 'invited' as const,
        tokenDigest: digest,
        tokenExpiresAtMs: expiresAtMs,
        credentialDigest: null,
        ...NO_KEY,
      };
      await this.audit.append(records, { kind: 'site-invited', actor: by, subject: { site: name } });
      return records.save(Site, { ...(known ?? fresh), ...invited });
    });
    return { site, token: secret, expiresAtMs };
  }

  /** Turns a token into a bearer credential, once. Throws TOKEN_REFUSED without saying which of its reasons, save expiry. */
  async enrol(token: string, agentVersion: string, protocolVersion: number): Promise<{ site: Site; credential: string }> {
    const { secret, digest } = issueSiteCredential();
    const shown = async () => ({ credentialDigest: digest });
    const site = await this.redeem(token, { agentVersion, protocolVersion }, shown, { agentVersion });
    return { site, credential: secret };
  }

  /** The same for an agent with a key of its own; CREDENTIAL_REFUSED when another site has that key. */
  async enrolKey(token: string, agentVersion: string, protocolVersion: number, key: PublicKey): Promise<Site> {
    const shown = (records: EntityManager, site: Site) => withKey(records, site, key);
    return this.redeem(token, { agentVersion, protocolVersion }, shown, { agentVersion, credential: 'signed' });
  }

  private redeem(
    token: string,
    versions: Pick<Site, 'agentVersion' | 'protocolVersion'>,
    shown: (records: EntityManager, site: Site) => Promise<Partial<Site>>,
    subject: AuditSubject,
  ): Promise<Site> {
    const nowMs = this.clock.nowMs();
    return this.unitOfWork.transact(async (records) => {
      const invited = await records.findOneBy(Site, { tokenDigest: secretDigest(token), state: 'invited' });
      if (invited === null) {
        throw new FederationError('TOKEN_REFUSED', 'the enrolment token is unknown or was already used', { remedy: ENROL_AGAIN });
      }
      if (nowMs >= (invited.tokenExpiresAtMs ?? 0)) {
        throw new FederationError('TOKEN_REFUSED', 'the enrolment token has expired', { remedy: ENROL_AGAIN });
      }
      const enrolled = { state: 'enrolled' as const, tokenDigest: null, tokenExpiresAtMs: null, enrolledAtMs: nowMs };
      await this.audit.append(records, { kind: 'site-enrolled', actor: `site:${invited.name}`, subject });
      return records.save(Site, { ...invited, ...enrolled, ...versions, ...(await shown(records, invited)) });
    });
  }

  /** The enrolled site that holds this bearer credential; CREDENTIAL_REFUSED otherwise, also after a revocation. */
  async authenticate(credential: string | undefined): Promise<Site> {
    const credentialDigest = secretDigest(credential ?? '');
    return SiteDirectory.requireEnrolled(await this.known({ credentialDigest }), 'the site credential');
  }

  /** The site whose key has this thumbprint, in whatever state it is; undefined when there is none. */
  async keyHolder(keyThumbprint: string): Promise<Site | undefined> {
    return (await this.known({ keyThumbprint })) ?? undefined;
  }

  /** The site, unless it is unknown or was revoked: CREDENTIAL_REFUSED. */
  static requireEnrolled(site: Site | null | undefined, what: string): Site {
    if (site?.state === 'enrolled') return site;
    const isKnown = site !== null && site !== undefined;
    throw new FederationError('CREDENTIAL_REFUSED', isKnown ? 'this site was revoked' : `${what} is unknown`, {
      details: isKnown ? { site: site.name } : {},
      remedy: ENROL_AGAIN,
    });
  }

  /** A key takes the place of a bearer credential, which is void from then on. Throws CREDENTIAL_REFUSED. */
  async trade(bearer: string, key: PublicKey): Promise<Site> {
    const traded = await this.unitOfWork.transact(async (records) => {
      const holder = await records.findOneBy(Site, { credentialDigest: secretDigest(bearer) });
      const site = SiteDirectory.requireEnrolled(holder, 'the site credential');
      await this.audit.append(records, { kind: 'site-bearer-traded', actor: `site:${site.name}`, subject: {} });
      return records.save(Site, { ...site, credentialDigest: null, ...(await withKey(records, site, key)) });
    });
    this.forgetAuthenticated();
    return traded;
  }

  /** Another key takes the place of the one with this thumbprint, which is void from then on. Throws CREDENTIAL_REFUSED. */
  async replaceKey(keyThumbprint: string, next: PublicKey): Promise<Site> {
    const changed = await this.unitOfWork.transact(async (records) => {
      const site = SiteDirectory.requireEnrolled(await records.findOneBy(Site, { keyThumbprint }), 'this site’s key');
      await this.audit.append(records, { kind: 'site-key-renewed', actor: `site:${site.name}`, subject: {} });
      return records.save(Site, { ...site, ...(await withKey(records, site, next)) });
    });
    this.forgetAuthenticated();
    return changed;
  }

  /** Until when the site's newest credential is good. */
  async noteCredential(siteId: string, credentialExpiresAtMs: number): Promise<void> {
    await this.unitOfWork.transact((records) => records.update(Site, { id: siteId }, { credentialExpiresAtMs }));
  }

  /** The site keeps what it shows, so that it is told the reason. */
  async revoke(name: string, by: AuditActor): Promise<Site> {
    const revoked = await this.writeRevoked(name, by);
    this.forgetAuthenticated();
    return revoked;
  }

  private async known(shown: { credentialDigest: string } | { keyThumbprint: string }): Promise<Site | null> {
    const [key = ''] = Object.values(shown);
    const known = this.authenticated.get(key);
    if (known !== undefined) return known;
    const changes = this.changes;
    const site = await this.unitOfWork.transact((records) => records.findOneBy(Site, shown));
    // Nobody was revoked while we looked.
    if (site?.state === 'enrolled' && changes === this.changes) this.authenticated.set(key, site);
    return site;
  }

  private forgetAuthenticated(): void {
    this.changes++;
    this.authenticated.clear();
  }

  private writeRevoked(name: string, by: AuditActor): Promise<Site> {
    return this.unitOfWork.transact(async (records) => {
      const site = await this.named(records, name);
      await this.audit.append(records, { kind: 'site-revoked', actor: by, subject: { site: name } });
      return records.save(Site, { ...site, state: 'revoked' as const, tokenDigest: null, tokenExpiresAtMs: null });
    });
  }

  /** Throws SITE_UNKNOWN. */
  async named(records: EntityManager, name: string): Promise<Site> {
    const site = await records.findOneBy(Site, { name });
    if (site !== null) return site;
    throw new FederationError('SITE_UNKNOWN', `there is no site named ${name}`, {
      remedy: 'List the sites with "coordinator site list".',
    });
  }

  async list(): Promise<Site[]> {
    return this.unitOfWork.transact((records) => records.find(Site, { order: { name: 'ASC' } }));
  }

  /** All enrolled sites in name order. */
  async enrolled(records: EntityManager): Promise<Site[]> {
    const sites = await records.findBy(Site, { state: 'enrolled' });
    return sites.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A site comes in; CREDENTIAL_REFUSED when it was revoked meanwhile. */
  async noteConnected(siteId: string, agentVersion: string, protocolVersion: number): Promise<void> {
    const seen = { lastSeenAtMs: this.clock.nowMs(), agentVersion, protocolVersion };
    await this.unitOfWork.transact(async (records) => {
      SiteDirectory.requireEnrolled(await records.findOneBy(Site, { id: siteId }), 'the site');
      await records.update(Site, { id: siteId }, seen);
    });
  }

  async noteSeen(siteId: string): Promise<void> {
    const seen = { lastSeenAtMs: this.clock.nowMs() };
    await this.unitOfWork.transact((records) => records.update(Site, { id: siteId }, seen));
  }

  /** How long the site does not train, undefined when it does; true when that is news. Repeating it costs no write. */
  async noteRest(siteId: string, restsForMs: number | undefined): Promise<boolean> {
    const restUntilMs = restsForMs === undefined ? null : Math.round(this.clock.nowMs() + restsForMs);
    const told = this.rests.get(siteId);
    if (told !== undefined && isSameRest(told, restUntilMs)) return false;
    const isNews = await this.unitOfWork.transact(async (records) => {
      const site = required(await records.findOneBy(Site, { id: siteId }), 'the site that speaks');
      if (isSameRest(site.restUntilMs, restUntilMs)) return false;
      await records.update(Site, { id: siteId }, { restUntilMs });
      return true;
    });
    this.rests.set(siteId, restUntilMs);
    return isNews;
  }
}

/** The columns of a key; CREDENTIAL_REFUSED when it is another site's: then the two share a copy of it. */
async function withKey(records: EntityManager, site: Site, key: PublicKey): Promise<Pick<Site, 'publicKey' | 'keyThumbprint'>> {
  const keyThumbprint = thumbprintOf(key);
  const holder = await records.findOneBy(Site, { keyThumbprint });
  if (holder === null || holder.id === site.id) return { publicKey: key, keyThumbprint };
  throw new FederationError('CREDENTIAL_REFUSED', 'another site holds this key', {
    remedy: 'Each site makes a key of its own with "site-agent join": do not copy the folder of one to another.',
  });
}

function isSameRest(noted: number | null, told: number | null): boolean {
  if (noted === null || told === null) return noted === told;
  return Math.abs(noted - told) < REST_TOLERANCE_MS;
}
