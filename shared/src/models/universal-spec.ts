import { z } from 'zod';
import { unet3dSpecSchema, type Unet3dSpec } from './unet3d-spec.js';

/**
 * A Models Genesis U-Net with the two heads of the Universal Model (Zhang et al., arXiv 2010.06107): a classifier of the patch's
 * scale on the bottleneck, and a modality adversary on encoder levels 2 to 4. The layers of the heads are this project's
 * defaults ("UM-style"): the original is unpublished. The backbone's parameters keep the U-Net's names.
 */
export const universalSpecSchema = z.strictObject({
  ...unet3dSpecSchema.omit({ architecture: true, inputChannels: true, outputs: true }).shape,
  architecture: z.literal('universal-model'),
  scales: z.int().min(0).max(16).default(3).describe('classes of the scale classifier; 0 leaves it out'),
  scaleFeatures: z.int().min(1).max(8192).default(1024).describe('size of its hidden layer'),
  modalities: z
    .union([z.literal(0), z.int().min(2).max(8)])
    .default(2)
    .describe('classes of the modality adversary (CT, MR); 0 leaves it out'),
  adversaryChannels: z
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe('channels of its first convolution, doubled twice; twice the width when left out'),
});
export type UniversalSpec = z.infer<typeof universalSpecSchema>;

/** The network that restores, without the heads: what is fine-tuned. */
export function universalBackbone(spec: UniversalSpec): Unet3dSpec {
  const { width, norm, groups, batchStatistics, upsampling } = spec;
  return unet3dSpecSchema.parse({ architecture: 'genesis-unet3d', width, norm, groups, batchStatistics, upsampling });
}

/** Begins the names of the scale classifier's parameters. */
export const SCALE_PREFIX = 'scale.';
/** Begins the names of the modality adversary's parameters. */
export const ADVERSARY_PREFIX = 'modality.';
