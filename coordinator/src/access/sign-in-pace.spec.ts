import { SignInPace } from './sign-in-pace.js';

describe('SignInPace', () => {
  const clock = { timeMs: 0, nowMs: () => clock.timeMs };
  const fail = (pace: SignInPace, name: string, times: number): void => {
    for (let n = 0; n < times; n++) pace.failed(name);
  };

  it('lets four mistakes pass, then makes each wait twice as long as the one before', () => {
    const pace = new SignInPace(clock);
    fail(pace, 'ada', 4);
    expect(() => pace.require('ada')).not.toThrow();
    for (const waitMs of [5_000, 10_000, 20_000]) {
      pace.failed('ada');
      expect(() => pace.require('ada')).toThrow(expect.objectContaining({ details: { retryInMs: waitMs } }) as Error);
      clock.timeMs += waitMs;
      expect(() => pace.require('ada')).not.toThrow();
    }
  });

  it('waits a quarter of an hour at most, for one name alone, until a success', () => {
    const pace = new SignInPace(clock);
    fail(pace, 'ada', 40);
    expect(() => pace.require('ada')).toThrow(expect.objectContaining({ details: { retryInMs: 900_000 } }) as Error);
    expect(() => pace.require('bob')).not.toThrow();
    pace.succeeded('ada');
    expect(() => pace.require('ada')).not.toThrow();
  });

  it('does not remember without end', () => {
    const pace = new SignInPace(clock);
    fail(pace, 'first', 5);
    for (let n = 0; n < 10_000; n++) pace.failed(`made-up-${n}`);
    expect(() => pace.require('first')).not.toThrow();
  });
});
