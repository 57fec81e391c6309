import { genesisTransformsSchema } from './genesis-transforms.js';

const V2 = {
  nonlinearProbability: 0.9,
  shuffleProbability: 0.5,
  shuffleBlocks: 10_000,
  flipProbability: 0.4,
  flipAxes: ['x', 'y'],
  paintProbability: 0.9,
  outPaintShare: 0.8,
  paintFill: 'noise',
};

describe('Genesis transforms of a plan', () => {
  it('are those of the newest public code when nothing is said, field by field', () => {
    expect(genesisTransformsSchema.parse({})).toEqual(V2);
  });

  it('follow the generation that is named', () => {
    expect(genesisTransformsSchema.parse({ generation: 'v2' })).toEqual({ ...V2, generation: 'v2' });
    expect(genesisTransformsSchema.parse({ generation: 'v1' })).toEqual({ ...V2, generation: 'v1' });
    const first = { shuffleProbability: 0.1, shuffleBlocks: 500, flipProbability: 0.9, inPaintFill: 'flat' };
    expect(genesisTransformsSchema.parse({ generation: 'v0' })).toEqual({ ...V2, ...first, generation: 'v0' });
  });

  it('let a given field win', () => {
    const parsed = genesisTransformsSchema.parse({ generation: 'v0', shuffleBlocks: 7, paintFill: 'noise' });
    expect(parsed).toMatchObject({ shuffleBlocks: 7, shuffleProbability: 0.1, paintFill: 'noise' });
    expect(parsed.inPaintFill).toBeUndefined();
  });

  it('parse to themselves once parsed', () => {
    for (const given of [{}, { generation: 'v0' }, { generation: 'v0', paintFill: 'flat' }, { flipChannel: false }]) {
      const parsed = genesisTransformsSchema.parse(given);
      expect(genesisTransformsSchema.parse(parsed)).toEqual(parsed);
    }
  });

  it('refuse what they do not know', () => {
    for (const bad of [
      { generation: 'v3' },
      { shuffleBlock: 1 },
      { intensityRange: 'wide' },
      { flipAxes: ['channel'] },
      [],
      null,
    ]) {
      expect(genesisTransformsSchema.safeParse(bad).success).toBe(false);
    }
  });
});
