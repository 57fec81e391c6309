import { z } from 'zod';
import { cube, type Sides } from './layer-parameters.js';
import { MEDICALNET_OUTPUT_STRIDE, medicalnetSpecSchema } from './medicalnet-spec.js';
import type { NormChoice } from './norm-fields.js';
import { residualUnet3dSideMultiples, type ResidualUnet3dSpec, residualUnet3dSpecSchema } from './residual-unet3d-spec.js';
import { universalBackbone, universalSpecSchema, type UniversalSpec } from './universal-spec.js';
import { genesisClassifierSpecSchema, UNET3D_SIDE_MULTIPLE, type Unet3dSpec, unet3dSpecSchema } from './unet3d-spec.js';

/** Architecture as data. Further architectures join this union. */
export const modelSpecSchema = z
  .discriminatedUnion('architecture', [
    unet3dSpecSchema,
    genesisClassifierSpecSchema,
    medicalnetSpecSchema,
    residualUnet3dSpecSchema,
    universalSpecSchema,
  ])
  .superRefine(refuseStrayFields);

export type ModelSpec = z.infer<typeof modelSpecSchema>;

/** A network that answers for every voxel of its input, as restoring and segmenting patches needs. */
export type VoxelModelSpec = Unet3dSpec | ResidualUnet3dSpec;

/** The part of a model that is fine-tuned: a universal model without its heads, any other as it is. */
export function backboneOf(spec: ModelSpec): Exclude<ModelSpec, UniversalSpec> {
  return spec.architecture === 'universal-model' ? universalBackbone(spec) : spec;
}

const unet3dChoice = unet3dSpecSchema.omit({ inputChannels: true, outputs: true });
const residualUnet3dChoice = residualUnet3dSpecSchema.omit({ inputChannels: true, outputs: true });

/** The choices of such a network that a task leaves to its author: inputs and outputs follow from the task. */
export const voxelModelChoiceSchema = z
  .discriminatedUnion('architecture', [unet3dChoice, residualUnet3dChoice])
  .superRefine(refuseStrayFields);

export type VoxelModelChoice = z.infer<typeof voxelModelChoiceSchema>;

const strippingSchema = z.discriminatedUnion('architecture', [unet3dChoice.strip(), residualUnet3dChoice.strip()]);

/** The same network without what the task decides. */
export function modelChoiceOf(spec: VoxelModelSpec): VoxelModelChoice {
  return strippingSchema.parse(spec);
}

export function answersEveryVoxel(spec: ModelSpec): spec is VoxelModelSpec {
  return spec.architecture === 'genesis-unet3d' || spec.architecture === 'residual-unet3d';
}

/** What each side of a network's input must be a multiple of, along x, y, z. */
export function sideMultiplesOf(spec: ModelSpec): Sides {
  switch (spec.architecture) {
    case 'genesis-unet3d':
    case 'genesis-classifier':
    case 'universal-model':
      return cube(UNET3D_SIDE_MULTIPLE);
    case 'medicalnet-resnet':
      // Any side can be computed; with multiples of 8 an answer's voxel is exactly 4³ (8³ without a head) of the input's.
      return cube(spec.head === 'classification' ? 1 : MEDICALNET_OUTPUT_STRIDE);
    case 'residual-unet3d':
      return residualUnet3dSideMultiples(spec);
  }
}

/** Beginning of the names of the last layer's parameters, which belong to the task and not to the representation. */
export function outputLayerPrefix(spec: ModelSpec): string {
  switch (spec.architecture) {
    case 'genesis-unet3d':
    case 'universal-model':
      return 'out.';
    case 'genesis-classifier':
      return 'head.2.';
    case 'medicalnet-resnet':
      return spec.head === 'classification' ? 'fc.' : 'conv_seg.6.';
    case 'residual-unet3d':
      return 'decoder.seg_layers.';
  }
}

type RefusableFields = NormChoice & { readonly batchStatistics?: string | undefined };

function refuseStrayFields(spec: RefusableFields, context: z.RefinementCtx): void {
  const refuse = (field: string, message: string): void => context.addIssue({ code: 'custom', path: [field], message });
  if (spec.groups !== undefined && spec.norm !== 'group') refuse('groups', 'only group norm has groups');
  if (spec.batchStatistics !== undefined && spec.norm !== 'batch') {
    refuse('batchStatistics', 'only batch norm has batch statistics');
  }
}
