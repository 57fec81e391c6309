import { digestOfBytes } from '@consilium/shared/kernel';
import type { SiteAudit } from './site-audit.js';

interface Identity {
  readonly siteName: string;
  readonly coordinatorUrl: string;
  readonly credential: string;
}

/**
 * Notes as whom the site takes part, when that is not what the log says already: a first entry after joining, another one for
 * each credential that is new. Of the credential the log holds a digest that is made for this log alone.
 */
export function noteIdentity(audit: SiteAudit, { siteName, coordinatorUrl, credential }: Identity): void {
  const named = digestOfBytes(`credential of ${siteName}, as its audit log names it: ${credential}`);
  audit.note('identity', { site: siteName, coordinator: new URL(coordinatorUrl).origin, credential: named });
}
