import { selectCohort } from './cohort-selection.js';

const site = (name: string, fields: { isAvailable?: boolean; restUntilMs?: number } = {}) => ({
  name,
  isAvailable: fields.isAvailable ?? true,
  restUntilMs: fields.restUntilMs ?? null,
});
const TEN = Array.from({ length: 10 }, (_, index) => site(`site-${index}`));
const rule = { seed: 7, roundNumber: 1, deadlineAtMs: 1_000, requiredSites: [] };
const names = (sites: { name: string }[]): string[] => sites.map(({ name }) => name);

describe('selectCohort', () => {
  it('takes every available site in name order when no number is asked for', () => {
    const sites = [site('c'), site('a'), site('b', { isAvailable: false })];
    expect(names(selectCohort(sites, rule))).toEqual(['a', 'c']);
  });

  it('draws the same sites for the same seed and round, whatever order they are listed in', () => {
    const drawn = names(selectCohort(TEN, { ...rule, sites: 4 }));
    expect(drawn).toHaveLength(4);
    expect(names(selectCohort([...TEN].reverse(), { ...rule, sites: 4 }))).toEqual(drawn);
    expect(drawn).toEqual([...drawn].sort());
  });

  it('draws anew for each round and seed, and over many rounds each site about as often', () => {
    const draws = new Map<string, number>();
    const cohorts = new Set<string>();
    for (let roundNumber = 1; roundNumber <= 1_000; roundNumber++) {
      const cohort = names(selectCohort(TEN, { ...rule, roundNumber, sites: 3 }));
      cohorts.add(cohort.join());
      for (const name of cohort) draws.set(name, (draws.get(name) ?? 0) + 1);
    }
    expect(cohorts.size).toBeGreaterThan(100); // of 120
    // 300 of 1,000 expected; the standard deviation is 14.5.
    for (const count of draws.values()) expect(Math.abs(count - 300)).toBeLessThan(60);
    expect(names(selectCohort(TEN, { ...rule, seed: 8, sites: 3 }))).not.toEqual(names(selectCohort(TEN, { ...rule, sites: 3 })));
  });

  it('always takes the required sites, also when they rest', () => {
    const sites = [...TEN, site('z', { restUntilMs: 5_000 })];
    for (let roundNumber = 1; roundNumber <= 50; roundNumber++) {
      const cohort = names(selectCohort(sites, { ...rule, roundNumber, sites: 2, requiredSites: ['site-3', 'z'] }));
      expect(cohort).toEqual(['site-3', 'z']);
    }
  });

  it('leaves out who rests past the deadline, not who will be back before', () => {
    const sites = [site('early', { restUntilMs: 999 }), site('late', { restUntilMs: 1_000 }), site('open')];
    expect(names(selectCohort(sites, rule))).toEqual(['early', 'open']);
  });
});
