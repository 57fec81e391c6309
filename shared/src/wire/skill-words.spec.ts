import { describeSkill, hasLearned, NOT_LEARNED } from './skill-words.js';

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

  it('count one group that is restored as learning', () => {
    const some = [...groups, { modality: 'MR' as const, treatment: 'untouched' as const, ...figures(0.11) }];
    expect(hasLearned({ skill: 0.031, groups: some })).toBe(true);
    expect(describeSkill({ skill: 0.031, groups: some })).not.toContain('learned');
  });

  it('are short for a site that tells no groups', () => {
    expect(describeSkill({ skill: 0.4117 })).toBe('0.412');
    expect(hasLearned({ skill: 0.1 })).toBe(false);
  });
});
