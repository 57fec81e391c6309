import { Random } from '@consilium/shared/kernel';
import { sketchOf } from '../../../test/fixtures/sketch-of.js';
import { type NormFacts, screenUpdates, type ScreenedUpdate } from './screen-updates.js';

const PLAN = { normFactor: 5, minimumCosine: -0.5 };
const VALUES = 20_000;

/** A direction that is the common one to the given extent (a cosine), and noise of its own otherwise. */
function direction(common: number, seed: string): Float32Array {
  const [shared, own] = [new Random('common'), new Random(`own/${seed}`)];
  const rest = Math.sqrt(1 - common ** 2);
  return Float32Array.from({ length: VALUES }, () => common * (shared.uniform24() - 0.5) + rest * (own.uniform24() - 0.5));
}

function update(
  name: string,
  { norm = 1, common = 0.7, steps = 10 }: { norm?: number; common?: number; steps?: number } = {},
): ScreenedUpdate {
  return { participationId: name, norm, steps, sketch: sketchOf(norm === 0 ? [0] : direction(common, name)) };
}

/** What is held back: "name code". */
function heldBack(updates: readonly ScreenedUpdate[], earlier: readonly NormFacts[] = [], plan = PLAN): string[] {
  return screenUpdates(updates, earlier, plan).map(({ participationId, code }) => `${participationId} ${code}`);
}

const norms = (...values: number[]): ScreenedUpdate[] => values.map((norm, i) => update(`site-${i}`, { norm }));
const past = (...values: number[]): NormFacts[] => values.map((norm) => ({ norm, steps: 10 }));

describe('norms far from the others', () => {
  it.each<[string, number[], number[], string[]]>([
    ['like norms', [1, 1.2, 0.8, 1.1], [], []],
    ['ten times the others', [1, 1.2, 10, 0.9, 1.1], [], ['site-2 UPDATE_NORM_FAR']],
    ['one bad of three makes neither good one look small', [1, 10, 1.1], [], ['site-1 UPDATE_NORM_FAR']],
    ['a tenth of the others', [1, 0.1, 1.1, 1], [], ['site-1 UPDATE_NORM_FAR']],
    ['a site that changed nothing', [1, 0, 1.1], [], ['site-1 UPDATE_NORM_FAR']],
    ['two bad of five', [1, 10, 1.1, 20, 0.9], [], ['site-1 UPDATE_NORM_FAR', 'site-3 UPDATE_NORM_FAR']],
    ['less than the factor', [1, 4.9, 1, 1], [], []],
    ['nothing but zeros', [0, 0, 0], [], []],
    ['one that moved among zeros', [0, 0, 1], [], []],
    ['no common opinion', [1, 1, 100, 100], [], []],
    ['no common opinion, but a past', [1, 1, 100, 100], [1, 1, 1], ['site-2 UPDATE_NORM_FAR', 'site-3 UPDATE_NORM_FAR']],
    ['two updates and no past', [1, 10], [1, 1], []],
    ['two updates and a past', [1, 10], [1, 1.2, 0.9], ['site-1 UPDATE_NORM_FAR']],
    ['one update and a past', [10], [1, 1.2, 0.9], ['site-0 UPDATE_NORM_FAR']],
    ['a past of two unlike sites', [1, 8], [1, 8, 1, 8], []],
    ['a past that says otherwise counts less than the round', [1, 1, 1], [100, 100, 100], []],
  ])('%s', (_what, values, earlier, expected) => {
    expect(heldBack(norms(...values), past(...earlier))).toEqual(expected);
  });

  it('a site with fewer steps may have a smaller norm in proportion, one that claims more steps no larger one', () => {
    const others = [update('a'), update('b'), update('c')];
    expect(heldBack([...others, update('slow', { norm: 0.05, steps: 1 })])).toEqual([]);
    expect(heldBack([...others, update('slow', { norm: 0.01, steps: 1 })])).toEqual(['slow UPDATE_NORM_FAR']);
    expect(heldBack([...others, update('eager', { norm: 10, steps: 1000 })])).toEqual(['eager UPDATE_NORM_FAR']);
  });

  it('says how far', () => {
    const [finding] = screenUpdates(norms(1, 10.2, 1, 1), [], PLAN);
    expect(finding?.reason).toBe("its norm 10.2 is 10.2 times the median of the round's others");
  });
});

describe('directions far from the others', () => {
  const good = ['a', 'b', 'c'].map((name) => update(name));

  it('is held back when it opposes the others', () => {
    expect(heldBack([...good, update('bad', { common: -0.9 })])).toEqual(['bad UPDATE_DIRECTION_FAR']);
    expect(screenUpdates([...good, update('bad', { common: -0.9 })], [], PLAN)[0]?.reason).toMatch(
      /^the cosine of its direction to the mean of the round's others is -0\.\d\d$/,
    );
  });

  it('is left alone when it is merely unlike them', () => {
    expect(heldBack([...good, update('other', { common: 0 })])).toEqual([]);
    expect(heldBack([...good, update('other', { common: -0.3 })])).toEqual([]);
  });

  it('protects two that agree from a third that opposes both', () => {
    expect(heldBack([update('a'), update('b'), update('bad', { common: -0.95 })])).toEqual(['bad UPDATE_DIRECTION_FAR']);
  });

  it('does not judge two, nor halves that oppose each other', () => {
    expect(heldBack([update('a'), update('bad', { common: -0.95 })])).toEqual([]);
    const halves = [
      update('a', { common: 0.9 }),
      update('b', { common: 0.9 }),
      update('c', { common: -0.9 }),
      update('d', { common: -0.9 }),
    ];
    expect(heldBack(halves)).toEqual([]);
  });

  it('does not let a large norm draw the mean', () => {
    expect(heldBack([...good, update('bad', { common: -0.9, norm: 4.5 })])).toEqual(['bad UPDATE_DIRECTION_FAR']);
  });

  it('never judges with a cosine of -1 as the limit', () => {
    expect(heldBack([...good, update('bad', { common: -1 })], [], { ...PLAN, minimumCosine: -1 })).toEqual([]);
  });

  it('leaves unrelated updates alone, in rounds of any size', () => {
    for (let sites = 3; sites <= 12; sites++) {
      for (let trial = 0; trial < 5; trial++) {
        const unrelated = Array.from({ length: sites }, (_, i) => update(`${trial}/${i}`, { common: 0 }));
        expect(heldBack(unrelated)).toEqual([]);
      }
    }
  });
});

describe('the verdict', () => {
  it('is the same whatever the order of arrival', () => {
    const updates = [
      ...['a', 'b', 'c', 'd', 'e'].map((name, i) => update(name, { norm: 1 + i / 10 })),
      update('far', { norm: 40 }),
      update('bad', { common: -0.9 }),
    ];
    const verdict = screenUpdates(updates, past(1, 2, 3), PLAN);
    expect(verdict.map(({ participationId }) => participationId)).toEqual(['bad', 'far']);
    const random = new Random('order');
    for (let trial = 0; trial < 20; trial++) {
      expect(screenUpdates(random.shuffle([...updates]), random.shuffle(past(1, 2, 3)), PLAN)).toEqual(verdict);
    }
  });

  it('is empty for an empty round', () => {
    expect(screenUpdates([], past(1, 1, 1), PLAN)).toEqual([]);
  });
});
