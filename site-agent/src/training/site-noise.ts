import { readOrMakeSecret } from '@consilium/shared/kernel';
import { siteFolder } from '../config/site-folder.js';
import type { PretrainOrder } from '../trainer/trainer-messages.js';
import type { SiteNoise } from './protect-deltas.js';

const DAMAGED = {
  what: 'the site’s secret for noise',
  remedy: 'Delete it while no round is under way: the next one makes a new one.',
};

/** What the local form makes the noise of this update of; undefined under any other plan. Makes the site's secret at its first call. */
export function noiseOf({
  home,
  plan,
  participationId,
}: Pick<PretrainOrder, 'home' | 'plan' | 'participationId'>): SiteNoise | undefined {
  if (plan.privacy?.form !== 'local') return undefined;
  return { secret: readOrMakeSecret(siteFolder(home).noiseSecretFile, DAMAGED), participationId };
}
