import { refusalOf } from '../../../test/fixtures/refusal.js';
import { readUpdateReport } from './update-report.js';

const SCORE = { restorationError: 0.02, constantError: 0.04, skill: 0.5, patches: 8 };
const REPORT = { steps: 2, patches: 8, meanLoss: 0.1, lastLoss: 0.09, trainingMs: 1234, volumes: 3, baseScore: SCORE };

describe('what a site reports of its update', () => {
  it('is taken when it is sound', () => {
    expect(readUpdateReport(REPORT)).toEqual(REPORT);
  });

  it('may keep everything but what the average is weighted with', () => {
    const { steps, patches } = REPORT;
    expect(readUpdateReport({ steps, patches })).toEqual({ steps, patches });
    expect(refusalOf(() => readUpdateReport({ steps }))).toMatchObject({ details: { field: 'patches' } });
  });

  it('is its counts alone where the plan keeps figures at the sites, whatever else a site sends', () => {
    const { steps, patches, trainingMs, volumes } = REPORT;
    const counts = { steps, patches, trainingMs, volumes };
    const privacy = { form: 'local' as const, clipNorm: 1, noiseMultiplier: 1, delta: 1e-5, figures: 'counts' as const };
    expect(readUpdateReport(REPORT, { privacy })).toEqual(counts);
    expect(readUpdateReport(counts, { privacy })).toEqual(counts);
  });

  it.each<[string, unknown, string]>([
    ['a loss that is NaN', JSON.parse(JSON.stringify({ ...REPORT, meanLoss: Number.NaN })), 'meanLoss'],
    ['an infinite loss', JSON.parse(JSON.stringify({ ...REPORT, lastLoss: Number.POSITIVE_INFINITY })), 'lastLoss'],
    ['a score that is NaN', { ...REPORT, baseScore: { ...SCORE, skill: null } }, 'baseScore.skill'],
    ['words for numbers', { ...REPORT, patches: 'many' }, 'patches'],
    ['no patches', { ...REPORT, patches: 0 }, 'patches'],
    ['half a patch', { ...REPORT, patches: 1.5 }, 'patches'],
    ['a field too many', { ...REPORT, patientName: 'X' }, ''],
    ['nothing', undefined, ''],
  ])('is refused with %s, naming the field', (_what, report, field) => {
    const error = refusalOf(() => readUpdateReport(report));
    expect(error).toMatchObject({ code: 'UPDATE_REPORT_INVALID', details: { field } });
    expect(error.message).not.toContain('patientName');
  });
});
