import { z } from 'zod';

/**
 * Models Genesis 3D U-Net (Zhou et al., MICCAI 2019; MedIA 2021): four levels, three 2×2×2 poolings, skip connections.
 * `width` is the number of channels of the first convolution; 32 is the published size.
 */
export const unet3dSpecSchema = z.strictObject({
  architecture: z.literal('genesis-unet3d'),
  width: z.int().min(1).max(64).default(8).describe('channels of the first convolution; 32 is the published size'),
  norm: z
    .enum(['batch', 'instance'])
    .default('instance')
    .describe('batch uses the statistics of the current batch, as published; instance is the federated default'),
  upsampling: z
    .enum(['transposed', 'nearest'])
    .default('transposed')
    .describe('transposed convolution as in the PyTorch variant, nearest neighbour as in the Keras variant'),
  inputChannels: z.int().min(1).max(8).default(1),
  outputs: z.int().min(1).max(128).default(1).describe('channels of the last, sigmoid-activated convolution'),
});

/** Architecture as data. Further architectures join this union. */
export const modelSpecSchema = z.discriminatedUnion('architecture', [unet3dSpecSchema]);

export type ModelSpec = z.infer<typeof modelSpecSchema>;
export type Unet3dSpec = z.infer<typeof unet3dSpecSchema>;

/** Every side of an input patch must be a multiple of this: three poolings by two. */
export const UNET3D_SIDE_MULTIPLE = 8;
