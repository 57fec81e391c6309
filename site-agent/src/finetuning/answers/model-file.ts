import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import {
  manifestOf,
  MODEL_METADATA_KEYS,
  modelMetadata,
  type ModelSpec,
  modelSpecSchema,
  voxelFormOf,
  type VoxelModelChoice,
  type VoxelModelSpec,
} from '@consilium/shared/models';
import { inManifestOrder, looksLikePytorch, readSafetensors, type WeightSet, writeSafetensors } from '@consilium/shared/weights';
import { parseWith, patchPlanSchema } from '@consilium/shared/wire';
import { importCheckpoint } from '../../checkpoints/import-checkpoint.js';
import { imageClassSchema, inputFields } from '../tasks/classification-task.js';
import { finetuneFolder, foldFolder, foldsWithin } from '../tasks/finetune-folder.js';
import { imagePlanSchema, modalityField } from '../tasks/image-plan.js';
import { segmentationClassSchema } from '../tasks/segmentation-task.js';

/** The entries of a fine-tuned model's header that hold its {@link SegmentationFacts} or {@link ClassificationFacts}. */
const SEGMENTATION_KEY = 'segmentation';
const CLASSIFICATION_KEY = 'classification';

/** What the training images turned out to be, where the task says no `modality` that all of them must have. */
const trainedOnField = { trainedOn: z.array(modalityField).optional() };

/** What a fine-tuned model knows about its task, so that predicting needs nothing but its file. */
export const segmentationFactsSchema = z.object({
  task: z.string(),
  ...imagePlanSchema.shape,
  ...trainedOnField,
  classes: z.array(segmentationClassSchema).min(1),
  patchSizeVoxels: patchPlanSchema.shape.sizeVoxels,
  /** The step whose weights these are, and what they reached on the validation cases. */
  step: z.int().min(0).optional(),
  validationDice: z.number().optional(),
  startedFrom: z.string().optional(),
});
export type SegmentationFacts = z.infer<typeof segmentationFactsSchema>;

/** As {@link segmentationFactsSchema}, for a model that puts images into classes. */
export const classificationFactsSchema = z.object({
  task: z.string(),
  ...imagePlanSchema.shape,
  ...trainedOnField,
  classes: z.array(imageClassSchema).min(2),
  ...inputFields,
  /** One sigmoid output for the second of two classes, or one per class of a softmax. */
  outputs: z.int().min(1),
  step: z.int().min(0).optional(),
  validationAuc: z.number().optional(),
  validationAccuracy: z.number().optional(),
  startedFrom: z.string().optional(),
});
export type ClassificationFacts = z.infer<typeof classificationFactsSchema>;

/** What a model was fine-tuned for, if for anything. */
export interface TaskFacts {
  readonly segmentation?: SegmentationFacts | undefined;
  readonly classification?: ClassificationFacts | undefined;
}

export interface ModelFile {
  readonly path: string;
  readonly digest: Digest;
  readonly spec: ModelSpec;
  /** In the manifest's order. */
  readonly weights: WeightSet;
  /** Both undefined for a pretrained model. */
  readonly segmentation: SegmentationFacts | undefined;
  readonly classification: ClassificationFacts | undefined;
}

/** Writes weights with their spec and task facts; the file appears whole or not at all. */
export async function writeModelFile(
  path: string,
  { spec, weights, segmentation, classification }: { spec: ModelSpec; weights: WeightSet } & TaskFacts,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): Promise<{ digest: Digest; bytes: number }> {
  const metadata = {
    ...modelMetadata(segmentation ? 'segmentation' : classification ? 'classification' : 'pretrained', spec),
    ...(segmentation && { [SEGMENTATION_KEY]: JSON.stringify(segmentation) }),
    ...(classification && { [CLASSIFICATION_KEY]: JSON.stringify(classification) }),
  };
  return writeSafetensors(path, weights, { metadata, dtype });
}

/**
 * Reads a model: one of ours, a version fetched from a coordinator, a folder that a fine-tuning wrote, or a PyTorch checkpoint that
 * "site-agent import" knows. Throws NOT_FOUND, WEIGHTS_MALFORMED, PICKLE_REFUSED, or MANIFEST_MISMATCH when the tensors are no network that we know.
 */
export async function readModelFile(location: string): Promise<ModelFile> {
  const path = await resolveModelPath(location);
  try {
    return await parseModelFile(path);
  } catch (thrown) {
    const { code, message, remedy, details } = FederationError.from(thrown, 'STORAGE_FAILED');
    throw new FederationError(code, `${path}: ${message}`, { remedy, details, cause: thrown });
  }
}

async function parseModelFile(path: string): Promise<ModelFile> {
  if (await looksLikePytorch(path)) {
    const { spec, weights } = await importCheckpoint(path);
    return { path, digest: await digestOfFile(path), spec, weights, segmentation: undefined, classification: undefined };
  }
  const { weights, metadata } = await readSafetensors(path);
  const spec = specOf(metadata, weights);
  return {
    path,
    digest: await digestOfFile(path),
    spec,
    weights: inManifestOrder(weights, manifestOf(spec), 'the model file'),
    segmentation: factsOf(segmentationFactsSchema, metadata, SEGMENTATION_KEY),
    classification: factsOf(classificationFactsSchema, metadata, CLASSIFICATION_KEY),
  };
}

function factsOf<T>(schema: z.ZodType<T>, metadata: Readonly<Record<string, string>>, key: string): T | undefined {
  const facts = metadata[key];
  return facts === undefined ? undefined : parseMetadata(schema, facts, key);
}

/** The model file that a path stands for: itself, or the model.safetensors within a folder. Undefined when there is neither. */
export async function modelFileAt(location: string): Promise<string | undefined> {
  const stats = await stat(location).catch(() => undefined);
  if (stats?.isDirectory() !== true) return stats?.isFile() === true ? location : undefined;
  const { modelFile } = finetuneFolder(location);
  return (await stat(modelFile).catch(() => undefined))?.isFile() === true ? modelFile : undefined;
}

/** As {@link modelFileAt}; NOT_FOUND when there is neither, naming the folds where a folder holds a model for each. */
export async function resolveModelPath(location: string): Promise<string> {
  const path = await modelFileAt(location);
  if (path !== undefined) return path;
  requireNoFolds(location);
  throw new FederationError('NOT_FOUND', `there is no model at ${location}`, {
    remedy: 'Name a .safetensors file, or a folder that "site-agent finetune" wrote.',
  });
}

/** NOT_FOUND for a folder that holds a model for each fold and none for all of them. */
export function requireNoFolds(location: string): void {
  const [first, ...others] = foldsWithin(location);
  if (first === undefined) return;
  throw new FederationError(
    'NOT_FOUND',
    `${location} holds a model for each of its ${others.length + 1} folds, and none of all`,
    {
      remedy: `Name the folder of one fold, such as ${foldFolder(location, first)}; only "evaluate" and "predict" take all together.`,
    },
  );
}

function specOf(metadata: Readonly<Record<string, string>>, weights: WeightSet): ModelSpec {
  const stated = metadata[MODEL_METADATA_KEYS.modelSpec];
  if (stated !== undefined) return parseMetadata(modelSpecSchema, stated, MODEL_METADATA_KEYS.modelSpec);
  const spec = guessSpec(weights);
  if (spec === undefined) {
    throw new FederationError('MANIFEST_MISMATCH', 'the file holds weights of a network that this program does not know', {
      remedy: 'Use a model that a campaign or "site-agent finetune" produced.',
    });
  }
  return spec;
}

/** The network of a file that another program wrote. Its tensors cannot tell the norm: batch norm is what was published. */
function guessSpec(weights: WeightSet): ModelSpec | undefined {
  const shapes = new Map(weights.map(({ name, shape }) => [name, shape]));
  const [width, inputChannels] = shapes.get('e1.0.weight') ?? [];
  const outputs = shapes.get('out.weight')?.[0];
  const upsampling = shapes.has('u1.weight') ? 'transposed' : 'nearest';
  const statistics = shapes.has('e1.1.running_mean') ? { batchStatistics: 'training' } : {};
  const spec = { architecture: 'genesis-unet3d', width, inputChannels, outputs, upsampling, norm: 'batch', ...statistics };
  return modelSpecSchema.safeParse(spec).data;
}

function parseMetadata<T>(schema: z.ZodType<T>, text: string, key: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FederationError('WEIGHTS_MALFORMED', `the model file's ${key} entry is not JSON`, {
      cause,
      remedy: 'Export the model again.',
    });
  }
  return parseWith(schema, value, 'WEIGHTS_MALFORMED', `the model file's ${key} entry`);
}

const FINETUNE_FIRST =
  'Fine-tune it first: site-agent finetune TASK.yaml --from MODEL. One that was exported to PyTorch and imported again has left ' +
  'its task behind: use the model itself.';

/** What the model knows about its classes; ARGUMENT_INVALID for a model that was not fine-tuned for segmentation. */
export function requireSegmentation({ segmentation, classification, path }: ModelFile): SegmentationFacts {
  if (segmentation !== undefined) return segmentation;
  if (classification !== undefined) throw otherKind(path, 'puts whole images into classes and draws no masks', 'segmentation');
  throw new FederationError('ARGUMENT_INVALID', `the model ${path} is pretrained only: it restores scans and knows no classes`, {
    remedy: FINETUNE_FIRST,
  });
}

/** As {@link requireSegmentation}, for classification. */
export function requireClassification({ segmentation, classification, path }: ModelFile): ClassificationFacts {
  if (classification !== undefined) return classification;
  if (segmentation !== undefined) throw otherKind(path, 'draws masks and puts no images into classes', 'classification');
  throw new FederationError('ARGUMENT_INVALID', `the model ${path} is pretrained only: it knows no classes`, {
    remedy: FINETUNE_FIRST,
  });
}

function otherKind(path: string, does: string, kind: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', `the model ${path} ${does}`, {
    remedy: `Name a model that was fine-tuned for ${kind}.`,
  });
}

/**
 * The network that segments with the model's representation, see `voxelFormOf`; ARGUMENT_INVALID for a model that cannot
 * answer for every voxel.
 */
export function requireVoxelModel({ spec, path }: ModelFile, wanted?: VoxelModelChoice): VoxelModelSpec {
  const form = voxelFormOf(spec, wanted);
  if (form !== undefined) return form;
  throw new FederationError('ARGUMENT_INVALID', `the model ${path} (${spec.architecture}) gives no answer per voxel`, {
    remedy: 'Start a segmentation from a U-Net or a MedicalNet encoder.',
  });
}
