import { type Clock, FederationError, newId, required } from '@consilium/shared/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { issueEnrolmentToken, issueSiteCredential, secretDigest } from '../access/site-credentials.js';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CLOCK, CONFIG } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Site } from './site.entity.js';

const ENROL_AGAIN = 'Ask the operator for a new enrolment token ("coordinator site enrol NAME") and join again.';

/** The same end of a rest, told twice over a slow line. */
const REST_TOLERANCE_MS = 60_000;

/** Who takes part: invitations, enrolments, credentials, revocations. */
@Injectable()
export class SiteDirectory {
  /** Sites by the digest of their credential, so that not every request of an upload asks the database; emptied by each change. */
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
      const invited = { state: 'invited' as const, tokenDigest: digest, tokenExpiresAtMs: expiresAtMs, credentialDigest: null };
      await this.audit.append(records, { kind: 'site-invited', actor: by, subject: { site: name } });
      return records.save(Site, { ...(known ?? fresh), ...invited });
    });
    return { site, token: secret, expiresAtMs };
  }

  /** Turns a token into a credential, once. Throws TOKEN_REFUSED without saying which of its reasons, save expiry. */
  async enrol(token: string, agentVersion: string, protocolVersion: number): Promise<{ site: Site; credential: string }> {
    const { secret, digest } = issueSiteCredential();
    const nowMs = this.clock.nowMs();
    const site = await this.unitOfWork.transact(async (records) => {
      const invited = await records.findOneBy(Site, { tokenDigest: secretDigest(token), state: 'invited' });
      if (invited === null) {
        throw new FederationError('TOKEN_REFUSED', 'the enrolment token is unknown or was already used', { remedy: ENROL_AGAIN });
      }
      if (nowMs >= (invited.tokenExpiresAtMs ?? 0)) {
        throw new FederationError('TOKEN_REFUSED', 'the enrolment token has expired', { remedy: ENROL_AGAIN });
      }
      const enrolled = { state: 'enrolled' as const, tokenDigest: null, tokenExpiresAtMs: null, credentialDigest: digest };
      await this.audit.append(records, { kind: 'site-enrolled', actor: `site:${invited.name}`, subject: { agentVersion } });
      return records.save(Site, { ...invited, ...enrolled, agentVersion, protocolVersion, enrolledAtMs: nowMs });
    });
    return { site, credential: secret };
  }

  /** The enrolled site that holds this credential; CREDENTIAL_REFUSED otherwise, also after a revocation. */
  async authenticate(credential: string | undefined): Promise<Site> {
    const digest = secretDigest(credential ?? '');
    const known = this.authenticated.get(digest);
    if (known !== undefined) return known;
    const changes = this.changes;
    const site = await this.unitOfWork.transact((records) => records.findOneBy(Site, { credentialDigest: digest }));
    if (site?.state === 'enrolled') {
      // Nobody was revoked while we looked.
      if (changes === this.changes) this.authenticated.set(digest, site);
      return site;
    }
    throw new FederationError('CREDENTIAL_REFUSED', site === null ? 'the site credential is unknown' : 'this site was revoked', {
      remedy: ENROL_AGAIN,
    });
  }

  /** The credential keeps its row, so that a revoked site is told the reason. */
  async revoke(name: string, by: AuditActor): Promise<Site> {
    const revoked = await this.writeRevoked(name, by);
    this.changes++;
    this.authenticated.clear();
    return revoked;
  }

  private writeRevoked(name: string, by: AuditActor): Promise<Site> {
    return this.unitOfWork.transact(async (records) => {
      const site = await records.findOneBy(Site, { name });
      if (site === null) {
        throw new FederationError('SITE_UNKNOWN', `there is no site named ${name}`, {
          remedy: 'List the sites with "coordinator site list".',
        });
      }
      await this.audit.append(records, { kind: 'site-revoked', actor: by, subject: { site: name } });
      return records.save(Site, { ...site, state: 'revoked' as const, tokenDigest: null, tokenExpiresAtMs: null });
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

  async noteSeen(siteId: string, agentVersion?: string, protocolVersion?: number): Promise<void> {
    const seen = { lastSeenAtMs: this.clock.nowMs(), agentVersion, protocolVersion };
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

function isSameRest(noted: number | null, told: number | null): boolean {
  if (noted === null || told === null) return noted === told;
  return Math.abs(noted - told) < REST_TOLERANCE_MS;
}
