import { missingComparison } from './comparison-section.js';

const course = (startedFrom: string | undefined) => ({
  model: startedFrom === undefined ? undefined : { startedFrom, validations: [] },
  scratch: undefined,
});
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

describe('a report without a scratch run', () => {
  it('says so of a model that began with pretrained weights, and how to get one', () => {
    expect(missingComparison([course(digest('a'))])).toContain('--compare-scratch');
    expect(missingComparison([course(digest('a')), course(digest('a'))])).toContain('--compare-scratch');
  });

  it('has nothing to say of one from scratch, or of unknown or different beginnings', () => {
    for (const starts of [['scratch'], [undefined], [digest('a'), digest('b')], []]) {
      expect(missingComparison(starts.map(course))).toBe('');
    }
  });
});
