/**
 * The accountant of Gaussian noise: Rényi differential privacy (Mironov, CSF 2017) added up over releases, and turned into (ε, δ) by
 * Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020, proposition 12 (also Balle, Barthe,
 * Gaboardi, Hsu and Sato, AISTATS 2020, theorem 21). The RDP of the Gaussian mechanism at order α is ρ·α with ρ = 1/(2·s²), s being
 * its noise in units of the sensitivity. So ρ alone tells everything, and releases add their ρ, also where each is chosen by what the
 * ones before showed.
 */

/** Orders at which ε is looked for: those of Google's dp-accounting, so that both give the same numbers. Any order gives a true bound. */
export const RDP_ORDERS: readonly number[] = [
  ...Array.from({ length: 99 }, (_, index) => 1 + (index + 1) / 10),
  ...Array.from({ length: 53 }, (_, index) => 11 + index),
  ...[128, 256, 512, 1024],
];

/** ρ of one release whose noise has `multiplier` times the sensitivity as its standard deviation; infinite without noise. */
export function rhoOfGaussian(multiplier: number): number {
  return 1 / (2 * multiplier * multiplier);
}

/** The least ε for which releases that add up to ρ are (ε, δ)-differentially private, as far as the orders tell. 0 < δ < 1. */
export function epsilonOf(rho: number, delta: number): number {
  if (rho === 0) return 0;
  const epsilons = RDP_ORDERS.map((order) => {
    const divergence = rho * order;
    // Two outcomes so alike differ by no more than δ in all (Bretagnolle and Huber): nothing is left for ε.
    if (delta * delta + Math.expm1(-divergence) > 0) return 0;
    return divergence + Math.log1p(-1 / order) - Math.log(delta * order) / (order - 1);
  });
  return Math.max(0, Math.min(...epsilons));
}

/** How many more releases of ρ each fit in an ε at this δ when `spent` has been spent; infinitely many where they cost nothing. */
export function releasesWithin(epsilon: number, delta: number, spent: number, rhoOfEach: number): number {
  const fit = (releases: number): boolean => epsilonOf(spent + releases * rhoOfEach, delta) <= epsilon;
  if (rhoOfEach === 0) return fit(1) ? Infinity : 0;
  if (!fit(1)) return 0;
  let [most, tooMany] = [1, 2];
  while (fit(tooMany)) [most, tooMany] = [tooMany, 2 * tooMany];
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fit(middle)) most = middle;
    else tooMany = middle;
  }
  return most;
}
