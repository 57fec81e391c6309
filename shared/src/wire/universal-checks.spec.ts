import { campaignPlanSchema } from './campaign-plan.js';

function issuesOf(changes: { model?: object; objective?: object; patch?: object; plan?: object }) {
  const result = campaignPlanSchema.safeParse({
    name: 'universal',
    model: { architecture: 'universal-model', ...changes.model },
    objective: { kind: 'universal-model', ...changes.objective },
    patch: { scales: {}, ...changes.patch },
    training: { steps: 10 },
    rounds: 20,
    ...changes.plan,
  });
  return result.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

const bare = { scales: 0, modalities: 0 };
const none = { mode: 'none' };

describe('a universal campaign', () => {
  it.each([
    ['with all defaults', {}],
    ['that restores only', { model: bare, objective: { scaleWeight: 0, adversary: none }, patch: { scales: undefined } }],
    ['with a scale classifier only', { model: { modalities: 0 }, objective: { adversary: none } }],
    ['with an adversary only', { objective: { scaleWeight: 0, adversary: { mode: 'alternating' } } }],
    ['with a frozen adversary', { objective: { adversary: { mode: 'frozen', warmUpShare: 0.25 } } }],
    ['of one modality', { objective: { modalities: ['CT'], adversary: none } }],
    [
      'with two sizes of its own',
      {
        model: { scales: 2 },
        patch: {
          scales: {
            sizes: [
              [64, 64, 32],
              [32, 32, 16],
            ],
          },
        },
      },
    ],
  ])('%s is sound', (_name, changes) => {
    expect(issuesOf(changes)).toEqual([]);
  });

  it.each([
    [{ model: { scales: 0 } }, 'objective.scaleWeight: the model has no scale classifier'],
    [{ patch: { scales: undefined } }, 'patch.scales: the scale classifier needs crops of several sizes'],
    [{ model: { scales: 4 } }, 'patch.scales.sizes: 3 sizes do not fit the 4 classes'],
    [{ model: { modalities: 0 } }, 'model.modalities: an adversary needs a model that has one'],
    [{ model: { modalities: 3 } }, 'model.modalities: sites tell CT from MR'],
    [{ objective: { modalities: ['MR'] } }, 'objective.adversary.mode: with volumes of one modality'],
    [{ patch: { sizeVoxels: [32, 16, 16] } }, 'patch.sizeVoxels: of so small a patch'],
  ])('is refused: %j', (changes, message) => {
    expect(issuesOf(changes)).toEqual([expect.stringContaining(message)]);
  });
});
