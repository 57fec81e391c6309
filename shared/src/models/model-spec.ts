import { z } from 'zod';
import { cube, type Sides } from './layer-parameters.js';
import {
  MEDICALNET_OUTPUT_STRIDE,
  type MedicalnetSpec,
  medicalnetSpecSchema,
  type MedicalnetVoxelSpec,
  VOXEL_HEADS,
  withMedicalnetHead,
} from './medicalnet-spec.js';
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
export type VoxelModelSpec = Unet3dSpec | ResidualUnet3dSpec | MedicalnetVoxelSpec;

/** The part of a model that is fine-tuned: a universal model without its heads, any other as it is. */
export function backboneOf(spec: ModelSpec): Exclude<ModelSpec, UniversalSpec> {
  return spec.architecture === 'universal-model' ? universalBackbone(spec) : spec;
}

const unet3dChoice = unet3dSpecSchema.omit({ inputChannels: true, outputs: true });
const residualUnet3dChoice = residualUnet3dSpecSchema.omit({ inputChannels: true, outputs: true });
const medicalnetChoice = medicalnetSpecSchema
  .omit({ inputChannels: true, outputs: true, branches: true })
  .extend({ head: z.enum(VOXEL_HEADS).default('raised-segmentation').describe('the published decoder, or one 1³ convolution') });

/** The choices of such a network that a task leaves to its author: inputs and outputs follow from the task. */
export const voxelModelChoiceSchema = z
  .discriminatedUnion('architecture', [unet3dChoice, residualUnet3dChoice, medicalnetChoice])
  .superRefine(refuseStrayFields);

export type VoxelModelChoice = z.infer<typeof voxelModelChoiceSchema>;

const strippingSchema = z.discriminatedUnion('architecture', [
  unet3dChoice.strip(),
  residualUnet3dChoice.strip(),
  medicalnetChoice.strip(),
]);

/** The same network without what the task decides. */
export function modelChoiceOf(spec: VoxelModelSpec): VoxelModelChoice {
  return strippingSchema.parse(spec);
}

export function answersEveryVoxel(spec: ModelSpec): spec is VoxelModelSpec {
  switch (spec.architecture) {
    case 'genesis-unet3d':
    case 'residual-unet3d':
      return true;
    case 'genesis-classifier':
    case 'universal-model':
      return false;
    case 'medicalnet-resnet':
      return VOXEL_HEADS.some((head) => head === spec.head);
  }
}

/**
 * The network that segments with a model's representation: itself, a universal model's backbone, or a ResNet's encoder under the
 * wanted head, by default under the published decoder raised to every voxel. Undefined when there is none.
 */
export function voxelFormOf(spec: ModelSpec, wanted?: VoxelModelChoice): VoxelModelSpec | undefined {
  if (spec.architecture === 'universal-model') return universalBackbone(spec);
  if (spec.architecture !== 'medicalnet-resnet') return answersEveryVoxel(spec) ? spec : undefined;
  if (wanted?.architecture === 'medicalnet-resnet') return withMedicalnetHead(spec, wanted.head, spec.outputs);
  return answersEveryVoxel(spec) ? spec : withMedicalnetHead(spec, 'raised-segmentation', spec.outputs);
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
      return MEDICALNET_OUTPUT_LAYERS[spec.head];
    case 'residual-unet3d':
      return 'decoder.seg_layers.';
  }
}

const MEDICALNET_OUTPUT_LAYERS: Readonly<Record<MedicalnetSpec['head'], string>> = {
  none: 'conv_seg.6.',
  segmentation: 'conv_seg.6.',
  'raised-segmentation': 'conv_seg.6.',
  'direct-segmentation': 'direct.',
  branches: 'branches.',
  classification: 'fc.',
};

/**
 * Beginning of the names of everything behind the encoder where models of one encoder differ in it, so that a start model may
 * lack it; undefined where a start model has all of the network.
 */
export function replaceableHeadPrefix(spec: ModelSpec): string | undefined {
  if (spec.architecture !== 'medicalnet-resnet') return undefined;
  return outputLayerPrefix(spec).startsWith('conv_seg.') ? 'conv_seg.' : outputLayerPrefix(spec);
}

type RefusableFields = NormChoice & {
  readonly batchStatistics?: string | undefined;
  readonly head?: string | undefined;
  readonly branches?: readonly { readonly name: string }[] | undefined;
};

function refuseStrayFields(spec: RefusableFields, context: z.RefinementCtx): void {
  const refuse = (field: string, message: string): void => context.addIssue({ code: 'custom', path: [field], message });
  if (spec.groups !== undefined && spec.norm !== 'group') refuse('groups', 'only group norm has groups');
  if (spec.batchStatistics !== undefined && spec.norm !== 'batch') {
    refuse('batchStatistics', 'only batch norm has batch statistics');
  }
  const { head, branches } = spec;
  if ((head === 'branches') !== (branches !== undefined)) refuse('branches', 'the head "branches" lists them, and no other does');
  if (new Set(branches?.map(({ name }) => name)).size !== (branches?.length ?? 0)) refuse('branches', 'two have the same name');
}
