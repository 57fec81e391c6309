import { federatedPart, siteLocalPart } from '@consilium/shared/weights';
import { controlManifest, manifestOf, modelSpecSchema, parametersOf, scopedManifest, statisticNames } from './index.js';

const unet = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm: 'batch', batchStatistics: 'training' });
const names = ({ tensors }: { tensors: readonly { name: string }[] }): string[] => tensors.map(({ name }) => name);

describe('the manifest of a campaign with parameters that stay at the sites', () => {
  it('is the model’s own where nothing stays', () => {
    expect(scopedManifest(unet)).toEqual(manifestOf(unet));
    expect(scopedManifest(unet, [])).toEqual(manifestOf(unet));
  });

  it.each([
    [{ architecture: 'genesis-unet3d', norm: 'batch', batchStatistics: 'training' }, /^[ed]\d\.[14]\./, 14 * 4],
    [{ architecture: 'genesis-unet3d', norm: 'instance' }, /^[ed]\d\.[14]\./, 14 * 2],
    [
      { architecture: 'medicalnet-resnet', depth: 10, head: 'segmentation' },
      /(\bbn\d|downsample\.1|conv_seg\.[14])\./,
      undefined,
    ],
    [{ architecture: 'residual-unet3d' }, /\.norm\./, undefined],
  ])('"norms" are scale, shift and statistics of every norm layer: %j', (model, pattern, count) => {
    const spec = modelSpecSchema.parse(model);
    const kept = names(siteLocalPart(scopedManifest(spec, ['norms'])));
    expect(kept).toEqual(names(manifestOf(spec)).filter((name) => pattern.test(name)));
    expect(kept.length).toBe(count ?? kept.length);
    expect(kept.length).toBeGreaterThan(10);
    for (const statistic of statisticNames(spec)) expect(kept).toContain(statistic);
  });

  it('follows patterns of names as the optimizer’s groups do', () => {
    const scoped = scopedManifest(unet, ['out.', '*.running_mean']);
    const kept = names(siteLocalPart(scoped));
    expect(kept.filter((name) => !name.endsWith('running_mean'))).toEqual(['out.weight', 'out.bias']);
    expect(kept).toHaveLength(2 + 14);
    expect([...kept, ...names(federatedPart(scoped))].sort()).toEqual(names(manifestOf(unet)).sort());
    expect(names(scoped)).toEqual(names(manifestOf(unet)));
  });

  it('leaves the part still that a round does not train', () => {
    const spec = modelSpecSchema.parse({ architecture: 'universal-model', width: 1, norm: 'instance' });
    const isAdversary = (name: string): boolean => name.startsWith('modality.');
    const all = names(manifestOf(spec));
    expect(names(federatedPart(scopedManifest(spec, [], 'adversary')))).toEqual(all.filter(isAdversary));
    expect(names(federatedPart(scopedManifest(spec, [], 'representation')))).toEqual(all.filter((name) => !isAdversary(name)));
    const own = scopedManifest(spec, ['out.'], 'adversary');
    expect(names(siteLocalPart(own))).toEqual(['out.weight', 'out.bias']);
    expect(names(own)).toEqual(all);
    expect(own.tensors.find(({ name }) => name === 'e1.0.weight')?.scope).toBe('still');
  });

  it('has a control variate for each federated parameter that gradients reach', () => {
    const trained = parametersOf(unet).filter(({ role }) => role === 'trained');
    expect(names(controlManifest(unet))).toEqual(trained.map(({ name }) => `control/${name}`));
    const withoutNorms = trained.filter(({ layer }) => layer !== 'norm');
    expect(controlManifest(unet, ['norms']).tensors).toEqual(
      withoutNorms.map(({ name, shape }) => ({ name: `control/${name}`, shape, dtype: 'F32', scope: 'federated' })),
    );
  });
});
