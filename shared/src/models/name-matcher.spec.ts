import { nameMatcher } from './name-matcher.js';

const NAMES = ['e1.0.weight', 'e1.0.bias', 'e10.0.bias', 'out.bias', 'outXbias'];

describe('a matcher of parameter names', () => {
  it.each([
    ['e1', ['e1.0.weight', 'e1.0.bias', 'e10.0.bias']],
    ['e1.', ['e1.0.weight', 'e1.0.bias']],
    ['*.bias', ['e1.0.bias', 'e10.0.bias', 'out.bias']],
    ['out.b*', ['out.bias']],
    ['e*0.bias', ['e1.0.bias', 'e10.0.bias']],
    ['*', NAMES],
    ['0', []],
    ['e1.*.', []],
  ])('%s finds %j', (match, expected) => {
    expect(NAMES.filter(nameMatcher(match))).toEqual(expected);
  });
});
