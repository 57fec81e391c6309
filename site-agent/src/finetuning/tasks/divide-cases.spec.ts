import { casesOfFold, type DividedCase, foldOfEach, holdOut, requireDistinctCases } from './divide-cases.js';

/** Twelve patients with one to four scans each; every third is of class 1. */
const cases: DividedCase[] = Array.from({ length: 12 }, (_, patient) =>
  Array.from({ length: 1 + (patient % 4) }, (_unused, scan) => ({
    name: `p${patient}-${scan}`,
    image: `/scans/p${patient}-${scan}.nii`,
    patient: `p${patient}`,
    classIndex: patient % 3 === 0 ? 1 : 0,
  })),
).flat();

const names = (list: readonly DividedCase[]) => list.map(({ name }) => name).sort();

describe('folds', () => {
  const plan = { count: 4, seed: 1 };

  it('test every case once, never train on what they test or validate with, and never part a patient', () => {
    const folds = [1, 2, 3, 4].map((k) => casesOfFold(cases, plan, k));
    expect(names(folds.flatMap(({ test }) => test))).toEqual(names(cases));
    folds.forEach(({ train, validation, test }, index) => {
      expect(names([...train, ...validation, ...test])).toEqual(names(cases));
      expect(validation).toEqual(folds[(index + 1) % 4]?.test);
      const patients = [train, validation, test].map((list) => [...new Set(list.map(({ patient }) => patient))]);
      expect(new Set(patients.flat()).size).toBe(patients.flat().length);
    });
  });

  it('are of about one size, with each class in each of them', () => {
    const own = foldOfEach(cases, plan);
    const sizes = [0, 1, 2, 3].map((fold) => own.filter((other) => other === fold).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(3);
    for (const fold of [0, 1, 2, 3]) {
      expect(cases.some(({ classIndex }, index) => own[index] === fold && classIndex === 1)).toBe(true);
    }
  });

  it('depend on the seed and on nothing else', () => {
    expect(foldOfEach(cases, plan)).toEqual(foldOfEach(cases, plan));
    expect(foldOfEach(cases, { ...plan, seed: 2 })).not.toEqual(foldOfEach(cases, plan));
  });

  it('take the scan for the patient where none is named: its frames stay together', () => {
    const frames: DividedCase[] = [0, 1, 2].flatMap((scan) =>
      [0, 1, 2].map((frame) => ({ name: `${scan}/${frame}`, image: `/s${scan}.nii`, frame })),
    );
    const own = foldOfEach(frames, { count: 3, seed: 1 });
    expect(new Set(frames.map(({ image }, index) => `${image} ${own[index]}`)).size).toBe(3);
  });

  it('refuse fewer patients than folds', () => {
    expect(() => foldOfEach(cases.slice(0, 3), plan)).toThrow(/2 patients cannot fill 4 folds/);
  });
});

describe('holding out', () => {
  it('takes about the shares, whole patients, and leaves somebody to train on', () => {
    const lists = holdOut(cases, { validation: 0.2, test: 0.3, seed: 1 });
    expect(names([...lists.train, ...lists.validation, ...lists.test])).toEqual(names(cases));
    expect(lists.test.length).toBeGreaterThanOrEqual(9);
    expect(lists.test.length).toBeLessThanOrEqual(12);
    expect(() => requireDistinctCases(lists)).not.toThrow();
    expect(holdOut(cases.slice(0, 1), { validation: 0.5, test: 0.4, seed: 1 }).train).toHaveLength(1);
  });
});

describe('overlapping lists', () => {
  it('are refused for patients as for scans', () => {
    const lists = { train: cases.slice(1, 2), validation: [], test: cases.slice(2, 3) };
    expect(() => requireDistinctCases(lists)).toThrow(/cases\.test: the patient p1 is also listed under train/);
    const patches = [1, 2].map((x) => ({ name: `patch ${x}`, image: '/a.nii', centre: [x, 0, 0] }));
    expect(() => requireDistinctCases({ train: patches, validation: [], test: [] })).not.toThrow();
    const same = patches.map((patch) => ({ ...patch, centre: [0, 0, 0] }));
    expect(() => requireDistinctCases({ train: same, validation: [], test: [] })).toThrow(/patch 2 is also listed under train/);
  });
});
