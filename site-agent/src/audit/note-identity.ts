import { digestOfBytes } from '@consilium/shared/kernel';
import type { SiteAudit } from './site-audit.js';

interface Identity {
  readonly siteName: string;
  readonly coordinatorUrl: string;
  /** Of the key that the site signs with; undefined for one that joined before there were keys. */
  readonly keyThumbprint: string | undefined;
  readonly credential?: string | undefined;
}

/**
 * Notes as whom the site takes part, when that is not what the log says already: a first entry after joining, another one for each
 * key that is new. Of a credential in the place of a key the log holds a digest that is made for this log alone.
 */
export function noteIdentity(audit: SiteAudit, { siteName, coordinatorUrl, keyThumbprint, credential }: Identity): void {
  const bearer = (): string => digestOfBytes(`credential of ${siteName}, as its audit log names it: ${credential ?? ''}`);
  audit.note('identity', { site: siteName, coordinator: new URL(coordinatorUrl).origin, key: keyThumbprint ?? bearer() });
}
