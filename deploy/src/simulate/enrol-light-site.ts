import type { OperatorLink } from '@consilium/coordinator/dist/commands/operator-link.js';
import { siteFolder } from '@consilium/site-agent/dist/config/site-folder.js';
import { joinSite } from '@consilium/site-agent/dist/link/join-site.js';
import { z } from 'zod';

const invitationSchema = z.object({ token: z.string() });

export interface SiteToEnrol {
  readonly name: string;
  readonly home: string;
  /** The address that the agent will use, which may be a relay's. */
  readonly coordinatorUrl: string;
}

/** `coordinator site enrol` and `site-agent join` in one: the home becomes the named site. */
export async function enrolLightSite(operator: OperatorLink, { name, home, coordinatorUrl }: SiteToEnrol): Promise<void> {
  const { token } = await operator.post('/api/sites', invitationSchema, { name });
  await joinSite(siteFolder(home), coordinatorUrl, token);
}

/** Names whose order is the order of the numbers: sums are taken in the order of names. */
export function lightSiteName(index: number): string {
  return `site-${String(index).padStart(4, '0')}`;
}
