import { campaignPlanSchema } from './campaign-plan.js';

function issuesOf(adversary: object, changes: Record<string, unknown> = {}): string[] {
  const { model = {}, ...fields } = changes;
  const parsed = campaignPlanSchema.safeParse({
    name: 'universal',
    model: { architecture: 'universal-model', width: 1, norm: 'instance', ...(model as object) },
    objective: { kind: 'universal-model', scaleWeight: 0, adversary },
    training: { steps: 10, optimizer: { kind: 'sgd', learningRate: 0.1 } },
    rounds: 51,
    quorum: 3,
    ...fields,
  });
  return (parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const frozen = { mode: 'frozen' };

describe('a campaign with a frozen adversary', () => {
  it.each(['fedavg', 'fedavgm', 'fedadagrad', 'fedadam', 'fedyogi', 'fedprox'])('may train its representation by %s', (name) => {
    expect(issuesOf(frozen, { recipe: { name } })).toEqual([]);
  });

  it.each([
    ['fedbuff', /one shared version/],
    ['scaffold', /no control variates/],
    ['median', /oppose each other/],
    ['trimmed-mean', /oppose each other/],
    ['krum', /oppose each other/],
    ['multi-krum', /oppose each other/],
  ])('is refused with %s, and says why', (name, why) => {
    const recipe = name.endsWith('krum') ? { name, byzantine: 0 } : { name };
    expect(issuesOf(frozen, { recipe })).toEqual([expect.stringMatching(why)]);
  });

  it('is refused where the model has no adversary, or patches mix in its norms', () => {
    expect(issuesOf(frozen, { model: { modalities: 0 } })).toEqual([expect.stringMatching(/^model.modalities: .*2 or more/)]);
    expect(issuesOf(frozen, { model: { norm: 'batch' } })).toEqual([expect.stringMatching(/^model.norm: .*add up/)]);
    expect(issuesOf(frozen, { model: { norm: 'group' } })).toEqual([]);
  });

  it('is refused where sites keep parts of it', () => {
    expect(issuesOf(frozen, { siteLocal: ['norms'] })).toEqual([expect.stringMatching(/^siteLocal: .*modality\.m1\.1\.weight/)]);
    expect(issuesOf(frozen, { siteLocal: ['e*.1.*', 'e*.4.*', 'd*.1.*', 'd*.4.*'] })).toEqual([]);
  });

  it('is refused where the adversary never pulls, or before it has learnt anything', () => {
    expect(issuesOf({ ...frozen, subRounds: 4 }, { rounds: 5 })).toEqual([expect.stringMatching(/^rounds: .*make 6/)]);
    expect(issuesOf({ ...frozen, subRounds: 4 }, { rounds: 6 })).toEqual([
      expect.stringMatching(/^objective.adversary.warmUpShare: .*2 rounds.*at least 0.5/),
    ]);
    expect(issuesOf({ ...frozen, subRounds: 4, warmUpShare: 0.5 }, { rounds: 6 })).toEqual([]);
    expect(issuesOf({ ...frozen, warmUpShare: 0 })).toEqual([expect.stringMatching(/warmUpShare/)]);
  });

  it.each(['frozen', 'alternating', 'reversal'])('is refused, as %s, where its warm-up never ends', (mode) => {
    expect(issuesOf({ mode, warmUpShare: 1 })).toContainEqual(expect.stringMatching(/warmUpShare: .*never begin/));
  });

  it('warms its learning rate up over the rounds of the representation alone', () => {
    const training = { steps: 10, schedule: { kind: 'constant', warmUp: { steps: 110 } } };
    // 51 rounds with 4 of the adversary after each of the representation: 11 of the representation, 110 steps.
    expect(issuesOf(frozen, { training })).toEqual([expect.stringMatching(/warm-up would not be over/)]);
    expect(issuesOf({ mode: 'reversal' }, { training })).toEqual([]);
  });
});

describe('a campaign whose sites train the adversary', () => {
  it.each(['reversal', 'alternating'])('is refused where a recipe needs whole updates (%s)', (mode) => {
    for (const name of ['scaffold', 'krum']) {
      const recipe = name === 'krum' ? { name, byzantine: 0 } : { name };
      expect(issuesOf({ mode }, { recipe })).toEqual([expect.stringMatching(/leaves the adversary out/)]);
    }
    for (const name of ['fedavg', 'median', 'fedbuff']) expect(issuesOf({ mode }, { recipe: { name } })).toEqual([]);
  });

  it('needs patches of which something is left at the end of the adversary', () => {
    const patch = (...sizeVoxels: number[]) => ({ patch: { sizeVoxels } });
    expect(issuesOf({ mode: 'reversal' }, patch(16, 16, 8))).toEqual([
      expect.stringMatching(/^patch.sizeVoxels: .*leaves nothing to tell/),
    ]);
    expect(issuesOf({ mode: 'reversal' }, patch(24, 24, 8))).toEqual([]);
    expect(issuesOf({ mode: 'none' }, patch(16, 16, 8))).toEqual([]);
  });

  it('needs a model with an adversary, unless it has none', () => {
    expect(issuesOf({ mode: 'reversal' }, { model: { modalities: 0 } })).toHaveLength(1);
    expect(issuesOf({ mode: 'none' }, { model: { modalities: 0 }, recipe: { name: 'scaffold' } })).toEqual([]);
  });
});
