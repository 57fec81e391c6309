import { parameterCount } from '@consilium/shared/weights';
import { backboneOf, manifestOf, modelSpecSchema, parametersOf } from './index.js';

const published = { architecture: 'universal-model', width: 32, norm: 'batch' };

function countOf(prefix: string): number {
  const parameters = parametersOf(modelSpecSchema.parse(published)).filter(({ name }) => name.startsWith(prefix));
  return parameters.reduce((sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1), 0);
}

describe('the Universal Model', () => {
  it('has the sizes that the specification computes for its heads', () => {
    expect(countOf('scale.')).toBe(528_387);
    expect(countOf('modality.')).toBe(5_785_282);
  });

  it('contains the published U-Net under its own names', () => {
    const spec = modelSpecSchema.parse(published);
    const backbone = manifestOf(backboneOf(spec));
    expect(parameterCount(backbone)).toBe(19_073_665);
    expect(manifestOf(spec).tensors.slice(0, backbone.tensors.length)).toEqual(backbone.tensors);
  });

  it('can do without either head', () => {
    const bare = modelSpecSchema.parse({ ...published, scales: 0, modalities: 0 });
    expect(manifestOf(bare)).toEqual(manifestOf(backboneOf(bare)));
  });

  it('knows no adversary with one class', () => {
    expect(modelSpecSchema.safeParse({ ...published, modalities: 1 }).success).toBe(false);
  });
});
