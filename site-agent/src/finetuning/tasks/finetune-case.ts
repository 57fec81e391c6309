import { z } from 'zod';
import type { Modality } from '../../volumes/volume.js';

/** Absolute path of one image of a task and what the task says about it. */
export interface CaseFiles {
  readonly name: string;
  /** A NIfTI file, a DICOM file or a folder with DICOM files. */
  readonly image: string;
  /** Which volume of the folder, and which frame of the volume, where there are several. */
  readonly series?: number | undefined;
  readonly frame?: number | undefined;
  /** Of this image; the task's, the header's or what the values tell when left out. */
  readonly modality?: Modality | undefined;
  /** Cases of one patient lie in one list and one fold. */
  readonly patient?: string | undefined;
}

export interface CasesOf<Case> {
  readonly train: readonly Case[];
  readonly validation: readonly Case[];
  readonly test: readonly Case[];
}

/** Where a fine-tuning begins: fresh seeded weights, or a model file (federated version, earlier fine-tuning, import). */
export const SCRATCH = 'scratch';

export const startSchema = z
  .strictObject({
    from: z.string().min(1).default(SCRATCH),
    outputLayer: z.enum(['auto', 'fresh']).default('auto').describe('auto keeps the last layer when its size fits'),
    fresh: z
      .array(z.string().min(1))
      .default([])
      .describe('what is drawn afresh all the same: encoder, decoder, or blocks by the beginning of their parameter names'),
  })
  .prefault({});

/** `from` is "scratch", the absolute path of a model file, or a pin or CAMPAIGN[@VERSION] until somebody has looked that up. */
export interface StartPlan {
  readonly from: string;
  readonly outputLayer: 'auto' | 'fresh';
  readonly fresh: readonly string[];
}
