import { z } from 'zod';
import { groupsField } from './norm-fields.js';

// Fields added later are optional without a default: a spec written before them keeps its JSON, and so its digests.
const unet3dFields = {
  width: z.int().min(1).max(64).default(8).describe('channels of the first convolution; 32 is the published size'),
  norm: z
    .enum(['batch', 'instance', 'group'])
    .default('instance')
    .describe('batch uses the statistics of the current batch, as published; instance is the federated default'),
  groups: groupsField,
  batchStatistics: z
    .enum(['always', 'training'])
    .optional()
    .describe(
      'with batch norm: always uses the current batch, also for predictions, as the PyTorch variant; training keeps running ' +
        'averages for predictions, as the Keras variant',
    ),
  inputChannels: z.int().min(1).max(8).default(1),
};

/**
 * Models Genesis 3D U-Net (Zhou et al., MICCAI 2019; MedIA 2021): four levels, three 2×2×2 poolings, skip connections.
 * `width` is the number of channels of the first convolution; 32 is the published size.
 */
export const unet3dSpecSchema = z.strictObject({
  architecture: z.literal('genesis-unet3d'),
  width: unet3dFields.width,
  norm: unet3dFields.norm,
  groups: unet3dFields.groups,
  batchStatistics: unet3dFields.batchStatistics,
  upsampling: z
    .enum(['transposed', 'nearest'])
    .default('transposed')
    .describe('transposed convolution as in the PyTorch variant, nearest neighbour as in the Keras variant'),
  inputChannels: unet3dFields.inputChannels,
  outputs: z.int().min(1).max(128).default(1).describe('channels of the last, sigmoid-activated convolution'),
});
export type Unet3dSpec = z.infer<typeof unet3dSpecSchema>;

/** The encoder of the Models Genesis U-Net, global average pooling and two linear layers (spec A7): one answer per patch. */
export const genesisClassifierSpecSchema = z.strictObject({
  architecture: z.literal('genesis-classifier'),
  ...unet3dFields,
  hiddenFeatures: z.int().min(1).max(8192).default(1024).describe('size of the hidden linear layer; 1024 as published'),
  outputs: z.int().min(1).max(4096).default(2).describe('classes, or 1 for a yes-or-no answer'),
});
export type GenesisClassifierSpec = z.infer<typeof genesisClassifierSpecSchema>;

/** Every side of an input patch must be a multiple of this: three poolings by two. */
export const UNET3D_SIDE_MULTIPLE = 8;
