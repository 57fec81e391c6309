import { refusalOf } from '../../../test/fixtures/refusal.js';
import { LineTestTurns } from './line-test-turns.js';

describe('turns of tests of the line', () => {
  let nowMs = 0;
  const turns = (): LineTestTurns => new LineTestTurns({ nowMs: () => nowMs });

  it('lets four sites test at a time, and the next when one is done', () => {
    const some = turns();
    const [end] = ['a', 'b', 'c', 'd'].map((site) => some.take(site));
    expect(refusalOf(() => some.take('e'))).toMatchObject({ code: 'COORDINATOR_BUSY', retryable: true });
    end?.();
    end?.();
    some.take('e');
    expect(refusalOf(() => some.take('f')).code).toBe('COORDINATOR_BUSY');
  });

  it('lets a site test ten times a minute, whatever others do', () => {
    const some = turns();
    for (let test = 0; test < 10; test++) some.take('a')();
    expect(refusalOf(() => some.take('a'))).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
    some.take('b')();
    nowMs += 60_001;
    some.take('a')();
  });
});
