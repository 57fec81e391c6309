import { keptInMemory, type KeptCase, occursIn } from './kept-case.js';
import { requireEveryClass, toClassMap, toLabelValues } from './labelled-case.js';

const classes = [
  { name: 'anterior', labels: [1] },
  { name: 'rest', labels: [7, 2] },
];

describe('labelled case', () => {
  it('maps label values to classes and each class back to its first label', () => {
    const map = toClassMap(Float32Array.of(0, 1, 2, 7, 3, 1.0000001), classes);
    expect([...map]).toEqual([0, 1, 2, 2, 0, 1]);
    expect([...toLabelValues(map, classes)]).toEqual([0, 1, 7, 7, 0, 1]);
  });

  it('refuses a class that no training label holds, naming it and its values', () => {
    const labelled = {
      name: 'a',
      sizeVoxels: [1, 1, 3] as const,
      intensities: new Float32Array(3),
      classMap: Uint8Array.of(0, 1, 0),
    };
    const [one, other] = [labelled, { ...labelled, classMap: Uint8Array.of(2, 0, 0) }].map((each) => keptInMemory(each, 2));
    const holding = (...cases: (KeptCase | undefined)[]) => occursIn(cases.filter((kept) => kept !== undefined));
    expect(() => requireEveryClass(classes, holding(one))).toThrow(/no training label holds rest \(7, 2\)/);
    expect(() => requireEveryClass(classes, holding(one, other))).not.toThrow();
  });
});
