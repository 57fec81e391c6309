import { requireTrainedModality } from './trained-modality.js';

describe('the modality of an image to answer for', () => {
  it('must be one that the model was trained on, unless a person says it', () => {
    const facts = { trainedOn: ['CT'] as const };
    expect(() => requireTrainedModality('CT', undefined, facts)).not.toThrow();
    expect(() => requireTrainedModality('MR', 'MR', facts)).not.toThrow();
    expect(() => requireTrainedModality('MR', undefined, facts)).toThrow(/it is MR, and the model was trained on CT/);
  });

  it('is not asked of a model that does not know what it was trained on', () => {
    expect(() => requireTrainedModality('MR', undefined, {})).not.toThrow();
  });
});
