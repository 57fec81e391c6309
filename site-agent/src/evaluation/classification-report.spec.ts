import { readMetricGoldens } from '../../../test/fixtures/read-metric-goldens.js';
import { compareClassifiers } from './compare-classifiers.js';
import { formatClassificationCsv, makeClassificationReport, poolClassificationReports } from './classification-report.js';
import { renderClassificationPage } from './html/classification-page.js';

const [two, three] = readMetricGoldens().scores;

function taskOf(golden: NonNullable<typeof two>) {
  const classes = golden.perClass.map((_, index) => ({ name: `class-${index}` }));
  const test = golden.labels.map((classIndex, index) => ({ name: `case-${index}`, patient: `p${index % 20}`, classIndex }));
  const images = golden.probabilities.map((probabilities, index) => ({ name: `case-${index}`, probabilities }));
  return { task: { name: 'kind', classes, cases: { test } }, images };
}

function reportOf(golden: typeof two) {
  if (golden === undefined) throw new Error('there are goldens of two and of three classes');
  const { task, images } = taskOf(golden);
  return makeClassificationReport(task, 'sha256:00', images);
}

describe('report on a classifier', () => {
  it("holds scikit-learn's figures of the second of two classes", () => {
    const report = reportOf(two);
    const [, second] = two?.perClass ?? [];
    expect(report.classes.map(({ name }) => name)).toEqual(['class-1']);
    expect(report.auc).toBeCloseTo(second?.auc ?? NaN, 12);
    expect(report.classes[0]?.expectedCalibrationError).toBeCloseTo(second?.ece ?? NaN, 10);
    expect(report.brier).toBeCloseTo(two?.brier ?? NaN, 12);
    expect(report.confusion).toEqual(two?.confusion);
  });

  it('holds each of three classes against the others, and their mean area', () => {
    const report = reportOf(three);
    expect(report.classes.map(({ auc }) => auc)).toEqual(three?.perClass.map(({ auc }) => expect.closeTo(auc, 12) as number));
    const areas = three?.perClass.map(({ auc }) => auc) ?? [];
    expect(report.auc).toBeCloseTo(areas.reduce((sum, area) => sum + area, 0) / 3, 12);
    expect(report.aucInterval?.low).toBeLessThan(report.auc ?? NaN);
    expect(report.aucInterval?.high).toBeGreaterThan(report.auc ?? NaN);
  });

  it('has an interval about every figure, by patients, and none where there is too little', () => {
    const report = reportOf(two);
    const [only] = report.classes;
    if (only === undefined) throw new Error('of two classes one is judged');
    const { sensitivity, specificity, ppv, npv } = only.atThreshold;
    const figures = [
      [report.brier, report.brierInterval],
      [sensitivity, only.atThresholdIntervals.sensitivity],
      [specificity, only.atThresholdIntervals.specificity],
      [ppv, only.atThresholdIntervals.ppv],
      [npv, only.atThresholdIntervals.npv],
    ] as const;
    for (const [figure, interval] of figures) {
      expect(interval?.low).toBeLessThan(figure ?? NaN);
      expect(interval?.high).toBeGreaterThan(figure ?? NaN);
    }
    // Resampling adds noise to the bins, so the error is drawn upwards; it stays an error between 0 and 1.
    expect(only.expectedCalibrationErrorInterval?.low).toBeGreaterThanOrEqual(0);
    expect(report.expectedCalibrationErrorInterval?.high).toBeLessThanOrEqual(1);
    const { task, images } = taskOf(two as NonNullable<typeof two>);
    const single = { ...task, cases: { test: task.cases.test.map((entry) => ({ ...entry, patient: 'one' })) } };
    expect(makeClassificationReport(single, 'sha256:00', images).classes[0]?.atThresholdIntervals).toEqual({
      sensitivity: null,
      specificity: null,
      ppv: null,
      npv: null,
    });
  });

  it('lists what could not be scored, and has no figure of nothing', () => {
    const task = { name: 'kind', classes: [{ name: 'a' }, { name: 'b' }], cases: { test: [{ name: 'x', classIndex: 0 }] } };
    const refused = { name: 'x', refused: { code: 'VOLUME_UNREADABLE', message: 'cut short' } } as const;
    expect(makeClassificationReport(task, 'sha256:00', [refused])).toMatchObject({
      cases: [],
      refused: [{ name: 'x', reason: 'cut short' }],
      accuracy: null,
      auc: null,
      brier: null,
    });
  });

  it('writes a line for each case', () => {
    const [header, first] = formatClassificationCsv(reportOf(two)).split('\n');
    expect(header).toBe('case,patient,class,predicted,probability_class-0,probability_class-1');
    expect(first).toMatch(/^case-0,p0,class-[01],class-[01],[\d.e-]+,[\d.e-]+$/);
  });

  it('finds no difference between a model and itself, and the very one to another', () => {
    const report = reportOf(two);
    expect(compareClassifiers(report, report)).toMatchObject({
      aucDifference: 0,
      aucInterval: { low: 0, high: 0 },
      trueClass: { meanDifference: 0, test: { p: 1, pairs: 0 } },
    });
    const constant = { ...report, cases: report.cases.map((entry) => ({ ...entry, probabilities: [0.5, 0.5] })) };
    const { aucDifference, trueClass } = compareClassifiers(report, constant);
    expect(aucDifference).toBeCloseTo((report.auc ?? NaN) - 0.5, 12);
    expect(trueClass.test.pairs).toBe(20); // patients, not cases
  });

  it('shows its figures, curves and tables on a page without scripts', () => {
    const report = reportOf(three);
    const comparison = compareClassifiers(report, report);
    const page = renderClassificationPage({ report, courses: [], scratch: { report, comparison } });
    expect(page).not.toMatch(/<script|https?:/);
    for (const figure of [report.auc, report.accuracy, report.brier]) expect(page).toContain(`<b>${figure?.toFixed(3)}</b>`);
    expect(page.match(/<figure class="chart">/g)).toHaveLength(3 + 4 + 1);
    for (const count of report.confusion.flat()) expect(page).toContain(`<td class="number">${count}</td>`);
  });
});

describe('report on the classifiers of all folds', () => {
  const classes = [{ name: 'benign' }, { name: 'malignant' }];
  /** Five patients of each class, all alike; the classifier of the second fold says more of everybody. */
  const reportOn = (fold: number, malignant: readonly [benign: number, malignant: number]) => {
    const test = Array.from({ length: 10 }, (_, number) => ({ name: `f${fold}-${number}`, classIndex: number % 2 }));
    const images = test.map(({ name, classIndex }) => {
      const probability = malignant[classIndex as 0 | 1];
      return { name, probabilities: [1 - probability, probability] };
    });
    return makeClassificationReport({ name: 'kind', classes, cases: { test } }, `sha256:0${fold}`, images);
  };
  const runs = [
    { fold: 1, report: reportOn(1, [0.1, 0.2]) },
    { fold: 2, report: reportOn(2, [0.8, 0.9]) },
  ];
  const pooled = poolClassificationReports({ name: 'kind', classes }, runs);

  it('has the area over all cases and, as scales differ, the mean of the areas within the folds', () => {
    expect(pooled.auc).toBe(0.75);
    expect(pooled.folds).toMatchObject({ meanAuc: 1, meanAucInterval: { low: 1, high: 1 } });
    expect(pooled.folds?.each).toEqual([
      { fold: 1, model: 'sha256:01', cases: 10, auc: 1, accuracy: 0.5 },
      { fold: 2, model: 'sha256:02', cases: 10, auc: 1, accuracy: 0.5 },
    ]);
    expect(pooled).toMatchObject({ model: null, accuracy: 0.5, confusion: [[5, 5], [5, 5]] }); // prettier-ignore
  });

  it('says on page and table whose fold each case is of', () => {
    expect(formatClassificationCsv(pooled).split('\n').slice(0, 2)).toEqual([
      'case,patient,class,predicted,probability_benign,probability_malignant,fold',
      'f1-0,f1-0,benign,benign,0.9,0.1,1',
    ]);
    const page = renderClassificationPage({ report: pooled, courses: [], scratch: undefined });
    expect(page).toMatch(
      /<b>1<\/b>mean of the folds’ areas[^]*<b>1 to 1<\/b>95 % interval of it[^]*<b>0\.750<\/b>area over all folds together/,
    );
  });

  it('refuses a case that two folds tested', () => {
    const twice = [...runs, { ...runs[0], fold: 3 }] as typeof runs;
    expect(() => poolClassificationReports({ name: 'kind', classes }, twice)).toThrow(/f1-0 is tested in fold 1 and in fold 3/);
  });
});
