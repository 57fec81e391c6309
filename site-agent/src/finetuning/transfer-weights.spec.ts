import { backboneOf, initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { scratchWeights, transferWeights } from './transfer-weights.js';

const spec = (overrides: object = {}) =>
  backboneOf(modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, ...overrides }));
const valuesOf = (weights: WeightSet, name: string) => weights.find((tensor) => tensor.name === name)?.values;

describe('transfer', () => {
  const source = initialWeights(spec(), 'pretrained');

  it('takes encoder, decoder and a fitting output layer by name, whatever their order', () => {
    const { weights, fresh, loaded } = transferWeights(spec(), [...source].reverse(), 5);
    expect(weights).toEqual(source);
    expect(fresh).toEqual([]);
    expect(loaded).toHaveLength(source.length);
  });

  it('draws the output layer as a scratch run would when its size differs or it is not wanted', () => {
    const two = spec({ outputs: 2 });
    const grown = transferWeights(two, source, 5);
    expect(grown.fresh).toEqual(['out.weight', 'out.bias']);
    expect(valuesOf(grown.weights, 'out.weight')).toEqual(valuesOf(scratchWeights(two, 5).weights, 'out.weight'));
    expect(valuesOf(grown.weights, 'd1.3.weight')).toEqual(valuesOf(source, 'd1.3.weight'));
    expect(transferWeights(spec(), source, 5, { outputLayer: 'fresh' }).fresh).toEqual(['out.weight', 'out.bias']);
  });

  it('passes over what the network has no place for, such as the heads of a pretraining', () => {
    const heads = [{ name: 'scale.0.weight', shape: [3, 32], values: new Float32Array(96) }];
    expect(transferWeights(spec(), [...heads, ...source], 5).weights).toEqual(source);
  });

  it('takes the encoder of a U-Net for a classifier, whose head is drawn from the seed', () => {
    const classifier = spec({ architecture: 'genesis-classifier', hiddenFeatures: 4 });
    const { weights, fresh } = transferWeights(classifier, source, 5);
    expect(fresh).toEqual(['head.0.weight', 'head.0.bias', 'head.2.weight', 'head.2.bias']);
    expect(valuesOf(weights, 'e4.3.weight')).toEqual(valuesOf(source, 'e4.3.weight'));
    expect(valuesOf(weights, 'head.0.weight')).toEqual(valuesOf(scratchWeights(classifier, 5).weights, 'head.0.weight'));
  });

  it("keeps a classifier's hidden layer for other classes, and drops the output with it when it does not fit", () => {
    const three = spec({ architecture: 'genesis-classifier', hiddenFeatures: 4, outputs: 3 });
    const two = initialWeights(spec({ architecture: 'genesis-classifier', hiddenFeatures: 4 }), 'two');
    expect(transferWeights(three, two, 5).fresh).toEqual(['head.2.weight', 'head.2.bias']);
    const wider = spec({ architecture: 'genesis-classifier', hiddenFeatures: 6 });
    expect(transferWeights(wider, two, 5).fresh).toHaveLength(4);
  });

  it('draws afresh what is asked for, and nothing else', () => {
    const { fresh, weights } = transferWeights(spec(), source, 5, { fresh: ['decoder', 'e4.3'] });
    expect(new Set(fresh.map((name) => name.split('.')[0]))).toEqual(new Set(['u3', 'd3', 'u2', 'd2', 'u1', 'd1', 'e4']));
    expect(fresh).not.toContain('e4.0.weight');
    expect(valuesOf(weights, 'd1.0.weight')).toEqual(valuesOf(scratchWeights(spec(), 5).weights, 'd1.0.weight'));
    expect(() => transferWeights(spec(), source, 5, { fresh: ['decodr'] })).toThrow(/start\.fresh: .*decodr/);
    expect(transferWeights(spec({ width: 3 }), source, 5, { fresh: ['encoder', 'decoder'] }).loaded).toEqual([]);
  });

  it('starts from scratch with the seed alone', () => {
    expect(scratchWeights(spec(), 5)).toEqual(scratchWeights(spec(), 5));
    expect(scratchWeights(spec(), 6).weights).not.toEqual(scratchWeights(spec(), 5).weights);
    expect(scratchWeights(spec(), 5).loaded).toEqual([]);
  });

  it('refuses a model of another shape, naming the tensor', () => {
    expect(() => transferWeights(spec({ width: 3 }), source, 5)).toThrow(/e1\.0\.weight with shape \[2, 1, 3, 3, 3\]/);
    expect(() => transferWeights(spec(), source.slice(1), 5)).toThrow(/lacks the tensor e1\.0\.weight/);
  });
});

describe('transfer of a MedicalNet encoder', () => {
  const medicalnet = (head: string, more: object = {}) =>
    backboneOf(modelSpecSchema.parse({ architecture: 'medicalnet-resnet', width: 2, head, outputs: 3, ...more }));
  const encoder = initialWeights(medicalnet('none'), 'pretrained');

  it.each(['raised-segmentation', 'direct-segmentation', 'classification'])('draws a %s head that the source lacks', (head) => {
    const spec = medicalnet(head);
    const { weights, loaded, fresh } = transferWeights(spec, encoder, 5);
    expect(weights.slice(0, encoder.length)).toEqual(encoder);
    expect(loaded).toEqual(encoder.map(({ name }) => name));
    expect(weights.slice(encoder.length)).toEqual(scratchWeights(spec, 5).weights.slice(encoder.length));
    expect(fresh).toHaveLength(weights.length - encoder.length);
  });

  it('keeps the decoder of a published model, but for a last layer of other classes', () => {
    const published = initialWeights(medicalnet('segmentation', { outputs: 2 }), 'published');
    expect(transferWeights(medicalnet('raised-segmentation'), published, 5).fresh).toEqual(['conv_seg.6.weight']);
    expect(transferWeights(medicalnet('direct-segmentation'), published, 5).fresh).toEqual(['direct.weight', 'direct.bias']);
  });

  it('refuses an encoder of another depth or width', () => {
    expect(() => transferWeights(medicalnet('raised-segmentation', { depth: 18 }), encoder, 5)).toThrow(/layer1\.1\.conv1/);
    expect(() => transferWeights(medicalnet('raised-segmentation', { width: 4 }), encoder, 5)).toThrow(/conv1\.weight/);
  });
});
