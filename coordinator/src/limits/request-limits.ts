import type { IncomingMessage } from 'node:http';
import type { Clock } from '@consilium/shared/kernel';
import { Inject, Injectable } from '@nestjs/common';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CLOCK, CONFIG } from '../ports.js';
import { callerAddress, type Trust, trustIn } from './caller-address.js';
import { RateLimit } from './rate-limit.js';
import { type Excess, EXCESSES, tooMany } from './too-many.js';

/** How many requests an address, and a site, may make: asked before anything is done for them. Counts what was refused. */
@Injectable()
export class RequestLimits {
  private readonly trust: Trust;
  private readonly perAddress: RateLimit;
  private readonly perSite: RateLimit;
  private readonly atOncePerSite: number;
  private readonly refused = new Map<Excess, number>(EXCESSES.map((excess) => [excess, 0]));

  constructor(@Inject(CONFIG) { limits }: CoordinatorConfig, @Inject(CLOCK) clock: Clock) {
    this.trust = trustIn(limits.trustedProxies);
    this.perAddress = new RateLimit(limits.requestsPerAddress, clock);
    this.perSite = new RateLimit(limits.requestsPerSite, clock);
    this.atOncePerSite = limits.requestsAtOncePerSite;
  }

  /** Refusals since the start, by what was too much. */
  get refusals(): ReadonlyMap<Excess, number> {
    return this.refused;
  }

  /** TOO_MANY_REQUESTS for an address that asks too often. */
  requireAddress(request: IncomingMessage): void {
    const address = callerAddress(request, this.trust);
    if (address !== undefined) this.require(this.perAddress.take(address));
  }

  /** TOO_MANY_REQUESTS for a site that asks too often, or too much beside what is being answered already; whatever its addresses. */
  requireSite(siteId: string, beingAnswered: number): void {
    this.require(this.perSite.take(siteId));
    if (beingAnswered < this.atOncePerSite) return;
    this.countRefusal('requests-at-once');
    throw tooMany('requests-at-once', undefined);
  }

  /** True for an address whose connections are not its own: those of a proxy, or of this machine. */
  isTrusted(address: string): boolean {
    return this.trust(address, 0);
  }

  countRefusal(excess: Excess): void {
    this.refused.set(excess, (this.refused.get(excess) ?? 0) + 1);
  }

  private require(retryInMs: number): void {
    if (retryInMs === 0) return;
    this.countRefusal('requests');
    throw tooMany('requests', retryInMs);
  }
}
