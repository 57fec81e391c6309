import { jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { type Disturbance, readTrace, writeTrace } from './disturbance-trace.js';
import { drawSlowSites, drawTraining } from './draw-sites.js';
import { LinkLosses } from './link-losses.js';
import { TracePlayer } from './play-trace.js';

const CUT: Disturbance = { site: 'a', fromSeconds: 1, untilSeconds: 3, kind: 'cut' };
const SLOW: Disturbance = { site: 'a', fromSeconds: 2, untilSeconds: 9, kind: 'slow', factor: 4 };

describe('a trace of disturbances', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'trace-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each(['trace.yaml', 'trace.json'])('is read as it was written, in the order of time: %s', (name) => {
    writeTrace(join(folder, name), [SLOW, CUT]);
    expect(readTrace(join(folder, name), ['a'])).toEqual([CUT, SLOW]);
  });

  it.each([
    ['- { site: b, fromSeconds: 0, untilSeconds: 1, kind: cut }', 'b'],
    ['- { site: a, fromSeconds: 2, untilSeconds: 1, kind: cut }', 'untilSeconds'],
    ['- { site: a, fromSeconds: 0, untilSeconds: 1, kind: slow }', 'factor'],
    ['- { site: a, fromSeconds: 0, untilSeconds: 1, kind: cut, factor: 2 }', 'factor'],
    ['- { site: a, fromSeconds: 0, untilSeconds: 1, kind: quake }', 'kind'],
    ['[', 'trace.yaml'],
  ])('%s is refused by name', (text, culprit) => {
    const path = join(folder, 'trace.yaml');
    writeFileSync(path, text);
    const refusal = refusalOf(() => readTrace(path, ['a']));
    expect(refusal.code).toBe('ARGUMENT_INVALID');
    expect(refusal.message).toContain(culprit);
  });
});

describe('TracePlayer', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('tells a site all that disturbs it, each time that changes, and afterwards what really was', () => {
    const told: string[] = [];
    const suffer = (now: readonly Disturbance[]): void => void told.push(now.map(({ kind }) => kind).join('+'));
    const player = new TracePlayer([CUT, SLOW], new Map([['a', { name: 'a', suffer }]]));
    player.start();
    jest.advanceTimersByTime(2500);
    expect(player.activeOf('a')).toEqual([CUT, SLOW]);
    jest.advanceTimersByTime(2500);
    expect(told).toEqual(['cut', 'cut+slow', 'slow']);
    expect(player.stop()).toEqual([CUT, { ...SLOW, untilSeconds: 5 }]);
    jest.advanceTimersByTime(60_000);
    expect(told).toHaveLength(3);
  });
});

describe('LinkLosses', () => {
  it('notes a loss that no disturbance explains, and not the way back from one that does', () => {
    const losses = new LinkLosses();
    losses.note('a', false, false, 1);
    losses.note('a', false, false, 2);
    losses.note('a', true, false, 3);
    losses.note('b', false, true, 1);
    losses.note('b', false, false, 2);
    losses.note('b', true, false, 3);
    losses.note('b', false, false, 4);
    expect(losses.finish(6)).toEqual([
      { site: 'a', fromSeconds: 1, untilSeconds: 3, kind: 'cut' },
      { site: 'b', fromSeconds: 4, untilSeconds: 6, kind: 'cut' },
    ]);
  });
});

describe('what is drawn for sites', () => {
  const names = Array.from({ length: 50 }, (_, index) => `site-${index}`);

  it('is the same for the same seed and another for another', () => {
    const slowOf = (seed: number): string[] => drawSlowSites(names, { seed, slowShare: 0.2 }).map(({ site }) => site);
    expect(slowOf(1)).toHaveLength(10);
    expect(slowOf(1)).toEqual(slowOf(1));
    expect(slowOf(1)).not.toEqual(slowOf(2));
    const durations = names.map((_, index) => drawTraining(index, { seed: 1, trainingMs: 100, failureShare: 0 }).durationMs());
    expect(new Set(durations).size).toBe(50);
    expect(Math.min(...durations)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...durations)).toBeLessThan(150);
  });

  it('lets about the wanted share of trainings fail', () => {
    const { failureIn } = drawTraining(3, { seed: 1, trainingMs: 100, failureShare: 0.3 });
    const failures = Array.from({ length: 1000 }, (_, round) => failureIn?.(round)).filter((failure) => failure !== undefined);
    expect(failures.length).toBeGreaterThan(250);
    expect(failures.length).toBeLessThan(350);
    expect(failures[0]?.code).toBe('TRAINING_DIVERGED');
  });
});
