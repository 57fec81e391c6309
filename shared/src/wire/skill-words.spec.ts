import { describeSkill, learningOf, NOT_LEARNED } from './skill-words.js';

const figures = (skill: number) => ({ restorationError: 0.1 * (1 - skill), constantError: 0.1, skill, share: 0.5 });

describe('the words of a skill', () => {
  const groups = [
    { modality: 'CT' as const, ...figures(0.05) },
    { modality: 'MR' as const, ...figures(-0.2) },
    { treatment: 'out-painted' as const, ...figures(0.02) },
    { treatment: 'untouched' as const, ...figures(0.1) },
    { modality: 'CT' as const, treatment: 'untouched' as const, ...figures(0.08) },
  ];

  it('name modalities and treatments, and say in plain words that nothing has been learnt', () => {
    const text = describeSkill({ skill: 0.031, groups });
    expect(text).toBe(`0.031 (CT 0.05, MR -0.20; untouched 0.10, out-painted 0.02), ${NOT_LEARNED}`);
  });

  it('name the only voxels that are restored, while the whole is not', () => {
    const some = [...groups.slice(0, 3), { treatment: 'untouched' as const, ...figures(0.66) }];
    expect(learningOf({ skill: -0.3, groups: some })).toBe('partly');
    expect(describeSkill({ skill: -0.3, groups: some })).toMatch(/only for untouched voxels$/);
  });

  it('do not take a small cell for learning', () => {
    const cell = { modality: 'MR' as const, treatment: 'untouched' as const, ...figures(0.5) };
    expect(learningOf({ skill: 0.031, groups: [...groups, cell] })).toBe('no');
  });

  it('are short for a model that has learned, and for a site that tells no groups', () => {
    expect(describeSkill({ skill: 0.4117 })).toBe('0.412');
    expect([learningOf({ skill: 0.11, groups }), learningOf({ skill: 0.1 })]).toEqual(['yes', 'no']);
  });
});
