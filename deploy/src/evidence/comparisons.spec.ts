import type { Protocol } from './protocol.js';
import { bestSingleSites, cellsOf, differencesFrom, type FinishedRun, labelsToReach } from './comparisons.js';
import type { RunResult } from './run-store.js';
import type { FinetuningRun } from './work-list.js';

const protocol = {
  tasks: { liver: { labels: [5, 10], metric: 'dice' } },
  arms: { scratch: {}, pretrained: {} },
} as unknown as Protocol;

function finished(arm: string, labels: number, cases: Record<string, number>): FinishedRun {
  const scores = Object.values(cases);
  const dice = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const result = { id: 'x', figures: { dice, stepsToBest: 100 * labels }, cases } as unknown as RunResult;
  return { run: { taskName: 'liver', arm, labels } as FinetuningRun, result, isFromOtherMaking: false };
}

const runs = [
  finished('scratch', 5, { a: 0.4, b: 0.5, c: 0.6 }),
  finished('scratch', 5, { a: 0.6, b: 0.7, c: 0.8 }),
  finished('pretrained', 5, { a: 0.7, b: 0.8, c: 0.8 }),
  finished('scratch', 10, { a: 0.8, b: 0.8, c: 0.8 }),
];

describe('cells', () => {
  it('are means over seeds with the sample deviation, case by case', () => {
    const [scratch, pretrained, more] = cellsOf(protocol, runs);
    expect(scratch).toMatchObject({ arm: 'scratch', labels: 5, seeds: 2, stepsToBest: 500 });
    expect(scratch?.mean).toBeCloseTo(0.6);
    expect(scratch?.deviation).toBeCloseTo(Math.sqrt(0.02));
    expect([...(scratch?.cases ?? [])].map(([name, score]) => [name, Number(score.toFixed(6))])).toEqual([
      ['a', 0.5],
      ['b', 0.6],
      ['c', 0.7],
    ]);
    expect(pretrained).toMatchObject({ arm: 'pretrained', seeds: 1, deviation: NaN });
    expect(more).toMatchObject({ arm: 'scratch', labels: 10 });
  });

  it('say when any seed starts from another making of the pretrained model', () => {
    const [first, ...others] = runs.filter(({ run }) => run.arm === 'scratch' && run.labels === 5);
    const mixed = [...others, { ...(first as FinishedRun), isFromOtherMaking: true }];
    expect(cellsOf(protocol, mixed)[0]?.isFromOtherMaking).toBe(true);
    expect(cellsOf(protocol, others)[0]?.isFromOtherMaking).toBe(false);
  });

  it('go from few labels to many, in whichever order they are run', () => {
    const { liver } = protocol.tasks;
    const backwards = { ...protocol, tasks: { liver: { ...liver, labels: [10, 5] } } } as Protocol;
    expect(cellsOf(backwards, runs)).toEqual(cellsOf(protocol, runs));
  });

  it('are compared on the same cases of the same label count', () => {
    const differences = differencesFrom('scratch', cellsOf(protocol, runs));
    expect(differences).toHaveLength(1);
    expect(differences[0]?.mean).toBeCloseTo((0.2 + 0.2 + 0.1) / 3);
    expect(differences[0]?.p).toBeCloseTo(0.25); // three pairs, all positive: 2 of 8 sign patterns
    expect(differences[0]?.cell.labels).toBe(5);
  });
});

describe('the best single site', () => {
  const protocol = {
    tasks: { liver: { labels: [5, 10], metric: 'dice' } },
    arms: { scratch: {}, 'site-a': { singleSite: true }, 'site-b': { singleSite: true } },
  } as unknown as Protocol;
  const runOf = (arm: string, labels: number, test: number, validation: readonly number[]): FinishedRun => {
    const one = finished(arm, labels, { a: test });
    return { ...one, result: { ...one.result, curves: { dice: validation.map((score, i) => [50 * i, score]) } } };
  };

  it('is chosen by the best point of its validation, for each label count, whatever the test cases say', () => {
    const cells = cellsOf(protocol, [
      runOf('scratch', 5, 0.9, [0.9]),
      runOf('site-a', 5, 0.8, [0.1, 0.5, 0.4]),
      runOf('site-b', 5, 0.2, [0.6, 0.3]),
      runOf('site-a', 10, 0.1, [0.7]),
      runOf('site-b', 10, 0.9, [0.6]),
    ]);
    expect(bestSingleSites(protocol, cells).map(({ arm, labels }) => [arm, labels])).toEqual([
      ['site-b', 5],
      ['site-a', 10],
    ]);
  });
});

describe('areas under the ROC curve', () => {
  const auc = { tasks: { patch: { metric: 'auc' } }, arms: { scratch: {}, pretrained: {} } } as unknown as Protocol;
  // Ten patients with two cases each; scratch tells half of the pairs apart, the other arm all of them.
  const runOf = (arm: string, figure: number, probabilityOf: (patient: number, positive: boolean) => number): FinishedRun => {
    const cases = Array.from({ length: 20 }, (_, i) => ({ patient: i >> 1, positive: i % 2 === 1 }));
    const outcomes = Object.fromEntries(
      cases.map(({ patient, positive }, i) => [`case-${i}`, [`p${patient}`, positive, probabilityOf(patient, positive)]]),
    );
    const result = { id: 'x', figures: { auc: figure }, outcomes } as unknown as RunResult;
    return { run: { taskName: 'patch', arm, labels: undefined } as FinetuningRun, result, isFromOtherMaking: false };
  };

  it('are compared over the same drawn patients', () => {
    const coin = runOf('scratch', 0.5, () => 0.5);
    const right = runOf('pretrained', 1, (_, positive) => (positive ? 0.9 : 0.1));
    const [difference] = differencesFrom('scratch', cellsOf(auc, [coin, coin, right]));
    expect(difference).toMatchObject({ mean: 0.5, pairs: 20, interval: { low: 0.5, high: 0.5 } });
    expect(difference?.p).toBeNaN();
    const mixed = runOf('pretrained', 0.75, (patient, positive) => (positive === patient < 5 ? 0.9 : 0.1));
    const interval = differencesFrom('scratch', cellsOf(auc, [coin, mixed]))[0]?.interval;
    expect(interval?.low).toBeLessThan(-0.2);
    expect(interval?.high).toBeGreaterThan(0.2);
  });
});

describe('labels to reach a score', () => {
  const curve = [
    { labels: 40, mean: 0.8 },
    { labels: 10, mean: 0.6 },
  ];

  it('lie on straight lines over a logarithmic axis', () => {
    expect(labelsToReach(0.7, curve)).toBeCloseTo(20);
    expect(labelsToReach(0.5, curve)).toBe(10);
    expect(labelsToReach(0.9, curve)).toBeUndefined();
  });
});
