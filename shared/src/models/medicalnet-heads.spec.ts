import { federatedPart, siteLocalPart } from '@consilium/shared/weights';
import {
  answersEveryVoxel,
  manifestOf,
  type MedicalnetSpec,
  medicalnetSpecSchema,
  type ModelSpec,
  modelChoiceOf,
  modelSpecSchema,
  outputLayerPrefix,
  parametersOf,
  replaceableHeadPrefix,
  scopedManifest,
  voxelFormOf,
  voxelModelChoiceSchema,
  withBranches,
  withMedicalnetHead,
} from './index.js';

const medicalnet = (fields: object = {}): MedicalnetSpec =>
  medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', width: 4, ...fields });
const BRANCHES = [
  { name: 'liver', outputs: 3 },
  { name: 'left-heart', outputs: 2 },
];
const names = (spec: ModelSpec): string[] => parametersOf(spec).map(({ name }) => name);

describe('heads of the MedicalNet ResNet', () => {
  const encoder = names(medicalnet({ head: 'none' }));

  it('are one 1³ convolution with bias for each branch, behind the same encoder', () => {
    const spec = withBranches(medicalnet(), BRANCHES);
    const added = parametersOf(spec).slice(encoder.length);
    expect(names(spec).slice(0, encoder.length)).toEqual(encoder);
    expect(added.map(({ name, shape }) => [name, shape])).toEqual([
      ['branches.liver.weight', [3, 32, 1, 1, 1]],
      ['branches.liver.bias', [3]],
      ['branches.left-heart.weight', [2, 32, 1, 1, 1]],
      ['branches.left-heart.bias', [2]],
    ]);
    expect(names(withMedicalnetHead(spec, 'none', 2))).toEqual(encoder);
    expect(modelSpecSchema.parse(withMedicalnetHead(spec, 'none', 2))).not.toHaveProperty('branches');
  });

  it('raised, are the published decoder: the same parameters', () => {
    const raised = medicalnet({ head: 'raised-segmentation', outputs: 5 });
    expect(manifestOf(raised)).toEqual(manifestOf(medicalnet({ head: 'segmentation', outputs: 5 })));
    expect(names(medicalnet({ head: 'direct-segmentation' })).slice(encoder.length)).toEqual(['direct.weight', 'direct.bias']);
  });

  it.each([
    [{ head: 'branches' }, 'lists them'],
    [{ head: 'none', branches: BRANCHES }, 'lists them'],
    [{ head: 'branches', branches: [BRANCHES[0], BRANCHES[0]] }, 'same name'],
    [{ head: 'branches', branches: [{ name: 'a.b', outputs: 2 }] }, 'letters, digits'],
  ])('are refused where branches and head do not go together: %j', (fields, message) => {
    const { error } = modelSpecSchema.safeParse({ architecture: 'medicalnet-resnet', ...fields });
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });

  it('stay at the sites by their names, while the encoder is averaged', () => {
    const scoped = scopedManifest(withBranches(medicalnet(), BRANCHES), ['branches.*']);
    expect(federatedPart(scoped).tensors.map(({ name }) => name)).toEqual(encoder);
    expect(siteLocalPart(scoped).tensors).toHaveLength(4);
  });
});

describe('the form of a model that segments', () => {
  const raised = withMedicalnetHead(medicalnet(), 'raised-segmentation', 2);
  const direct = withMedicalnetHead(medicalnet(), 'direct-segmentation', 2);

  it('is the model itself where it answers for every voxel', () => {
    const unet = modelSpecSchema.parse({ architecture: 'genesis-unet3d' });
    for (const spec of [unet, raised, direct]) {
      expect(answersEveryVoxel(spec)).toBe(true);
      expect(voxelFormOf(spec)).toEqual(spec);
    }
    expect(voxelFormOf(modelSpecSchema.parse({ architecture: 'genesis-classifier' }))).toBeUndefined();
  });

  it('is the encoder of a ResNet under the raised decoder, or under the head that is wanted', () => {
    for (const spec of [medicalnet({ head: 'none' }), medicalnet({ head: 'classification' }), withBranches(raised, BRANCHES)]) {
      expect(answersEveryVoxel(spec)).toBe(false);
      expect(voxelFormOf(spec)).toEqual(raised);
      expect(voxelFormOf(spec, modelChoiceOf(direct))).toEqual(direct);
    }
    expect(voxelFormOf(raised, modelChoiceOf(direct))).toEqual(direct);
    expect(voxelFormOf(raised, voxelModelChoiceSchema.parse({ architecture: 'genesis-unet3d' }))).toEqual(raised);
  });

  it('is what a task may choose, without inputs, outputs and branches', () => {
    const choice = modelChoiceOf(direct);
    expect(voxelModelChoiceSchema.parse(choice)).toEqual(choice);
    expect(choice).toEqual({
      architecture: 'medicalnet-resnet',
      depth: 10,
      width: 4,
      norm: 'batch',
      head: 'direct-segmentation',
    });
    expect(voxelModelChoiceSchema.safeParse({ architecture: 'medicalnet-resnet', head: 'none' }).success).toBe(false);
  });

  it('has a head that a start model may lack, and within it the last layer', () => {
    expect([raised, direct, withBranches(raised, BRANCHES)].map((spec) => replaceableHeadPrefix(spec))).toEqual([
      'conv_seg.',
      'direct.',
      'branches.',
    ]);
    expect(outputLayerPrefix(raised)).toBe('conv_seg.6.');
    expect(replaceableHeadPrefix(modelSpecSchema.parse({ architecture: 'genesis-unet3d' }))).toBeUndefined();
  });
});
