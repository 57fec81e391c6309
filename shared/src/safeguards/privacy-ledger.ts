/**
 * What releases have cost a site, and what a budget still allows. The unit that is protected is always the site's whole contribution
 * to a release, and so any one patient's, too.
 */
import { epsilonOf, releasesWithin, rhoOfGaussian } from './rdp-accountant.js';

/**
 * *local*: the site's own message carries the noise, and nobody outside sees it without. *central*: the coordinator sees messages and
 * adds the noise to their sum; it protects against those who see versions.
 */
export type PrivacyForm = 'local' | 'central';

/**
 * What is told apart. *zeroed*: the site's contribution, and nothing in its place (zero-out, in Kairouz et al., "Practical and Private
 * (Deep) Learning without Sampling or Shuffling", ICML 2021; add-or-remove, where everybody knows who took part). *replaced*: any two
 * contributions of the site. Two vectors of norm C are up to 2·C apart, a vector and zero C.
 */
export type Neighbours = 'zeroed' | 'replaced';

/** A release of something of the site's. */
export interface PrivacySpend {
  readonly form: PrivacyForm;
  /** Standard deviation of the noise in units of the clip norm. */
  readonly noiseMultiplier: number;
}

/** A promise up to which a site goes. */
export interface PrivacyBudget {
  readonly epsilon: number;
  readonly delta: number;
}

/** What a form is accounted by on its own: in the local form the message exists anyway, so what it might have held is the question. */
export function neighboursOf(form: PrivacyForm): Neighbours {
  return form === 'local' ? 'replaced' : 'zeroed';
}

/** The noise of a release in units of its sensitivity. */
export function effectiveMultiplier({ noiseMultiplier }: PrivacySpend, neighbours: Neighbours): number {
  return neighbours === 'replaced' ? noiseMultiplier / 2 : noiseMultiplier;
}

export function rhoOfSpend(spend: PrivacySpend, neighbours: Neighbours = neighboursOf(spend.form)): number {
  return rhoOfGaussian(effectiveMultiplier(spend, neighbours));
}

/** ρ of all of them together. Pass the neighbours where the list mixes forms: sums of different ones mean nothing. */
export function rhoOfSpends(spends: readonly PrivacySpend[], neighbours?: Neighbours): number {
  return spends.reduce((sum, spend) => sum + rhoOfSpend(spend, neighbours), 0);
}

export function epsilonOfSpends(spends: readonly PrivacySpend[], delta: number, neighbours?: Neighbours): number {
  return epsilonOf(rhoOfSpends(spends, neighbours), delta);
}

/** How many more releases like `next` the budget allows. */
export function releasesLeft(
  spends: readonly PrivacySpend[],
  next: PrivacySpend,
  { epsilon, delta }: PrivacyBudget,
  neighbours?: Neighbours,
): number {
  return releasesWithin(epsilon, delta, rhoOfSpends(spends, neighbours), rhoOfSpend(next, neighbours));
}
