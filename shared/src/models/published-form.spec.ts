import { initialWeights, modelSpecSchema, toPublishedModule } from './index.js';

const moduleOf = (fields: object) => {
  const spec = modelSpecSchema.parse({ width: 2, norm: 'batch', ...fields });
  return toPublishedModule(spec, initialWeights(spec, 1)).map(({ name }) => name);
};

describe('a model as the published module', () => {
  it.each(['segmentation', 'raised-segmentation'])('is one of MedicalNet with its decoder: %s', (head) => {
    expect(moduleOf({ architecture: 'medicalnet-resnet', head })).toContain('module.conv_seg.6.weight');
  });

  it('is one of MedicalNet without a decoder, as its weights were released', () => {
    const names = moduleOf({ architecture: 'medicalnet-resnet', head: 'none' });
    expect(names).toContain('module.layer4.0.bn1.num_batches_tracked');
    expect(names.filter((name) => name.startsWith('module.conv_seg'))).toEqual([]);
  });

  it.each([
    [{ head: 'classification' }, /its head is "classification"/],
    [{ head: 'direct-segmentation' }, /its head is "direct-segmentation"/],
    [{ inputChannels: 2 }, /reads 2 channels/],
    [{ norm: 'instance' }, /instance norm/],
  ])('is refused where strict loading would fail: %j', (fields, why) => {
    expect(() => moduleOf({ architecture: 'medicalnet-resnet', ...fields })).toThrow(why);
  });

  it('is refused for a Models Genesis network of several channels', () => {
    const genesis = { architecture: 'genesis-unet3d', inputChannels: 2 };
    expect(() => moduleOf(genesis)).toThrow(/reads 2 channels/);
    expect(moduleOf({ ...genesis, inputChannels: 1 })).toContain('module.out_tr.final_conv.weight');
  });
});
