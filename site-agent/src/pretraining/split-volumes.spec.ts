import type { Modality } from '../volumes/volume.js';
import { digestOfName } from '../../../test/fixtures/make-prepared.js';
import { pretrainRecipeSchema } from './pretrain-recipe.js';
import { splitVolumes } from './split-volumes.js';

const volume = (name: string, patient?: string, modality: Modality = 'CT') => ({
  digest: digestOfName(name),
  modality,
  files: [{ path: `/scans/${name}.nii.gz`, bytes: 1, modifiedMs: 1 }],
  patient,
});
const VOLUMES = Array.from({ length: 20 }, (_, index) => volume(`scan-${index}`));
const recipeOf = (validation: object, seed = 1) =>
  pretrainRecipeSchema.parse({ name: 'r', model: { architecture: 'genesis-unet3d', width: 2 }, validation, seed });
const heldBy = (volumes: readonly ReturnType<typeof volume>[], validation: object, seed?: number): string[] =>
  splitVolumes(volumes, recipeOf(validation, seed))
    .validation.map(({ digest }) => digest)
    .sort();

describe('splitVolumes', () => {
  it('holds the share out by the seed, whatever the order of the volumes', () => {
    const held = heldBy(VOLUMES, { share: 0.25 });
    expect(held).toHaveLength(5);
    expect(heldBy([...VOLUMES].reverse(), { share: 0.25 })).toEqual(held);
    expect(heldBy(VOLUMES, { share: 0.25 }, 2)).not.toEqual(held);
    expect(heldBy(VOLUMES, { share: 0 })).toEqual([]);
    const { train, validation } = splitVolumes(VOLUMES, recipeOf({ share: 0.25 }));
    expect(new Set([...train, ...validation])).toEqual(new Set(VOLUMES));
  });

  it('keeps the volumes of a patient, and equal voxels, on one side', () => {
    const volumes = Array.from({ length: 40 }, (_, index) => volume(`scan-${index}`, `patient-${index % 10}`));
    const twins = [...volumes, { ...volume('scan-3', 'patient-3'), files: [] }];
    for (let seed = 1; seed <= 10; seed++) {
      const { train, validation } = splitVolumes(twins, recipeOf({ share: 0.3 }, seed));
      const trained = new Set(train.map(({ patient }) => patient));
      expect(validation.filter(({ patient }) => trained.has(patient))).toEqual([]);
      expect(validation.length).toBeGreaterThan(0);
    }
  });

  it('leaves no modality to one side, where it can be', () => {
    const mixed = (ct: number, mr: number) => [
      ...Array.from({ length: ct }, (_, index) => volume(`ct-${index}`, undefined, 'CT')),
      ...Array.from({ length: mr }, (_, index) => volume(`mr-${index}`, undefined, 'MR')),
    ];
    const heldOf = (volumes: ReturnType<typeof mixed>, share: number, seed: number) =>
      splitVolumes(volumes, recipeOf({ share }, seed))
        .validation.map(({ modality }) => modality)
        .sort();
    for (let seed = 1; seed <= 20; seed++) {
      expect(heldOf(mixed(4, 4), 0.25, seed)).toEqual(['CT', 'MR']);
      expect(new Set(heldOf(mixed(30, 2), 0.1, seed))).toEqual(new Set(['CT', 'MR']));
      expect(heldOf(mixed(4, 4), 0.125, seed)).toHaveLength(1);
      expect(heldOf(mixed(7, 1), 0.25, seed)).toHaveLength(2); // the one MR volume cannot be on both sides
    }
  });

  it('does not follow the salt that patients are hashed with', () => {
    const salted = (salt: string) => VOLUMES.map((entry, index) => ({ ...entry, patient: `${salt}${Math.floor(index / 2)}` }));
    expect(heldBy(salted('a'), { share: 0.3 })).toEqual(heldBy(salted('z'), { share: 0.3 }));
  });

  it('holds out what is named, by file or by the end of a path', () => {
    expect(heldBy(VOLUMES, { volumes: ['scan-4.nii.gz', 'scans/scan-7.nii.gz'] })).toEqual(
      [digestOfName('scan-4'), digestOfName('scan-7')].sort(),
    );
    expect(() => heldBy(VOLUMES, { volumes: ['scan-4.nii.gz', 'can-7.nii.gz'] })).toThrow(
      expect.objectContaining({
        code: 'RECIPE_INVALID',
        message: expect.stringContaining('validation.volumes.1') as string,
      }) as Error,
    );
  });

  it('refuses to hold everything out', () => {
    expect(() => heldBy([volume('only')], { volumes: ['only.nii.gz'] })).toThrow(/nothing is left to train on/);
  });
});
