/** Where a fine-tuning begins: which network is trained, with which weights of the start model. */
import { type Digest, FederationError } from '@consilium/shared/kernel';
import {
  answersEveryVoxel,
  backboneOf,
  genesisClassifierSpecSchema,
  medicalnetSpecSchema,
  modelChoiceOf,
  modelSpecSchema,
  sideMultiplesOf,
  type Unet3dSpec,
  unet3dSpecSchema,
  type VoxelModelSpec,
} from '@consilium/shared/models';
import { classifierChoiceOf, type ClassificationTask, outputsOf, scratchClassifier } from './tasks/classification-task.js';
import { SCRATCH } from './tasks/finetune-case.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import type { FinetunedSpec } from './model-blocks.js';
import { type ModelFile, readModelFile, requireVoxelModel } from './answers/model-file.js';
import type { SegmentationTask } from './tasks/segmentation-task.js';
import { scratchWeights, type Transfer, transferWeights } from './transfer-weights.js';

/** The network, its weights and, from a model, the model's digest. */
export interface Start extends Transfer {
  readonly spec: FinetunedSpec;
  readonly digest: Digest | null;
}

/**
 * Reads the start model and takes over what fits. Throws as {@link readModelFile} and {@link transferWeights}, and
 * ARGUMENT_INVALID when no network for the task can be made of the start model's.
 */
export async function openStart(task: FinetuneTask): Promise<Start> {
  const { start, training } = task;
  if (start.from === SCRATCH) {
    const spec = scratchSpec(task);
    requireSpread(spec, task);
    return { spec, digest: null, ...scratchWeights(spec, training.seed) };
  }
  const source = await readModelFile(start.from);
  const spec = task.kind === 'segmentation' ? segmenterFrom(source, task) : classifierFrom(source, task);
  requireSpread(spec, task);
  return { spec, digest: source.digest, ...transferWeights(spec, source.weights, training.seed, start) };
}

function scratchSpec(task: FinetuneTask): FinetunedSpec {
  if (task.kind === 'segmentation') return { ...task.model, inputChannels: 1, outputs: task.classes.length };
  return backboneOf(modelSpecSchema.parse(scratchClassifier(task)));
}

/**
 * Instance norm takes its statistics over the voxels of a patch: of a single one nothing is left, and such a classifier would
 * answer the same to every image. Throws TASK_INVALID where its last features would be one voxel.
 */
function requireSpread(spec: FinetunedSpec, { patchSizeVoxels }: FinetuneTask): void {
  const multiples = sideMultiplesOf(spec);
  const single = patchSizeVoxels.every((side, axis) => side <= (multiples[axis] ?? 1));
  if (spec.architecture !== 'genesis-classifier' || spec.norm !== 'instance' || !single) return;
  throw new FederationError('TASK_INVALID', 'patchSizeVoxels: instance norm sees nothing in the one voxel that remains of it', {
    remedy: `Make a side at least ${2 * multiples[0]} voxels long, or start from a model with another norm.`,
  });
}

/** The same task from scratch, with the network that was trained from a model. */
export function scratchTask(task: FinetuneTask, spec: FinetunedSpec): FinetuneTask {
  const start = { ...task.start, from: SCRATCH };
  if (task.kind === 'segmentation') return { ...task, start, model: answersEveryVoxel(spec) ? modelChoiceOf(spec) : task.model };
  return { ...task, start, model: classifierChoiceOf(spec) ?? task.model };
}

function segmenterFrom(source: ModelFile, { classes, start, model }: SegmentationTask): VoxelModelSpec {
  const outputs = classes.length;
  const spec = backboneOf(source.spec);
  if (spec.architecture === 'genesis-classifier' && start.fresh.includes('decoder')) {
    const upsampling = model.architecture === 'genesis-unet3d' ? model.upsampling : 'transposed';
    return unet3dSpecSchema.parse({ architecture: 'genesis-unet3d', ...encoderFields(spec), upsampling, outputs });
  }
  return { ...requireVoxelModel(source, model), outputs };
}

function classifierFrom(source: ModelFile, task: ClassificationTask): FinetunedSpec {
  const outputs = outputsOf(task);
  const spec = backboneOf(source.spec);
  switch (spec.architecture) {
    case 'genesis-unet3d':
    case 'genesis-classifier': {
      const hiddenFeatures = task.model.architecture === 'genesis-classifier' ? task.model.hiddenFeatures : undefined;
      const fields = { architecture: 'genesis-classifier', ...encoderFields(spec), hiddenFeatures, outputs };
      return genesisClassifierSpecSchema.parse(fields);
    }
    case 'medicalnet-resnet':
      return medicalnetSpecSchema.parse({ ...spec, head: 'classification', outputs });
    case 'residual-unet3d':
      throw new FederationError('ARGUMENT_INVALID', `the model ${source.path} (${spec.architecture}) has no classifier`, {
        remedy: 'Start a classification from a Models Genesis or MedicalNet model.',
      });
  }
}

function encoderFields({
  width,
  norm,
  groups,
  batchStatistics,
  inputChannels,
}: Pick<Unet3dSpec, 'width' | 'norm' | 'groups' | 'batchStatistics' | 'inputChannels'>) {
  return { width, norm, inputChannels, ...(groups && { groups }), ...(batchStatistics && { batchStatistics }) };
}
