/** Classification of whole images or patches with the encoder of a pretrained model (spec A7). */
import { z } from 'zod';
import { genesisClassifierSpecSchema, medicalnetSpecSchema, modelSpecSchema } from '@consilium/shared/models';
import { nameField, patchPlanSchema } from '@consilium/shared/wire';
import type { Triple } from '../../volumes/volume.js';
import { caseSourceFields, checkCaseSource, type FoldsPlan } from './case-entry.js';
import { refuseSharedLabels } from './distinct-classes.js';
import { type CaseFiles, type CasesOf, type StartPlan, startSchema } from './finetune-case.js';
import { trainingFields } from './finetune-training.js';
import { type ImagePlan, imagePlanSchema } from './image-plan.js';

/** A name, or a name with the words or numbers that stand for it in the lists; the name itself always does. */
export const imageClassSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { name: given } : given),
  z.strictObject({
    name: nameField,
    labels: z.array(z.union([z.string().min(1), z.number()]).transform(String)).default([]),
  }),
);
export type ImageClass = z.infer<typeof imageClassSchema>;

/** How an image becomes the network's input; a model that was trained on a task keeps these fields. */
export const inputFields = {
  input: z.enum(['whole', 'patch']).default('whole').describe("the whole image, or a patch around each case's centre"),
  fit: z
    .enum(['resize', 'pad'])
    .default('resize')
    .describe('of whole images: stretched to the patch size, or kept and surrounded with zeros'),
  patchSizeVoxels: patchPlanSchema.shape.sizeVoxels,
};

/** Defaults: Models Genesis' fine-tuning schedule (spec A7). */
export const classifierTrainingSchema = z.strictObject({
  ...trainingFields,
  loss: z
    .enum(['cross-entropy', 'bce'])
    .default('cross-entropy')
    .describe('softmax over all classes, or one sigmoid output for the second of two classes'),
  watch: z
    .enum(['loss', 'auc', 'accuracy'])
    .default('loss')
    .describe('which validation result keeps weights, cuts the rate and stops'),
  balance: z.enum(['classes', 'none']).default('classes').describe('classes: each class is drawn as often as the others'),
});
export type ClassifierTraining = z.infer<typeof classifierTrainingSchema>;

/** Inputs and outputs follow from the task. */
const classifierChoiceSchema = z.discriminatedUnion('architecture', [
  genesisClassifierSpecSchema.omit({ inputChannels: true, outputs: true }),
  medicalnetSpecSchema.omit({ inputChannels: true, outputs: true, head: true }),
]);

type ClassifierChoice = z.infer<typeof classifierChoiceSchema>;

const strippedChoiceSchema = z.discriminatedUnion('architecture', [
  genesisClassifierSpecSchema.omit({ inputChannels: true, outputs: true }).strip(),
  medicalnetSpecSchema.omit({ inputChannels: true, outputs: true, head: true }).strip(),
]);

/** The network that a task describes, before it is checked. */
export function scratchClassifier({ model, ...task }: OutputsPlan & { readonly model: ClassifierChoice }): object {
  const head = model.architecture === 'medicalnet-resnet' ? { head: 'classification' } : {};
  return { ...model, ...head, inputChannels: 1, outputs: outputsOf(task) };
}

/** A network without what the task decides; undefined when it is no classifier. */
export function classifierChoiceOf(spec: object): ClassifierChoice | undefined {
  return strippedChoiceSchema.safeParse(spec).data;
}

/** The task file as a human writes it; paths are relative to it. */
export const classificationFileSchema = z
  .strictObject({
    name: nameField,
    kind: z.literal('classification'),
    ...imagePlanSchema.shape,
    classes: z.array(imageClassSchema).min(2).max(1000),
    ...inputFields,
    ...caseSourceFields,
    start: startSchema,
    model: classifierChoiceSchema
      .prefault({ architecture: 'genesis-classifier' })
      .describe('used from scratch; of a start model its encoder is taken, hiddenFeatures from here'),
    training: classifierTrainingSchema.prefault({}),
  })
  .superRefine((task, context) => {
    checkCaseSource(task, context);
    refuseSharedLabels(task.classes, context);
    if (task.training.loss === 'bce' && task.classes.length !== 2) {
      context.addIssue({ code: 'custom', path: ['training', 'loss'], message: 'bce needs exactly two classes' });
    }
    const network = modelSpecSchema.safeParse(scratchClassifier(task));
    for (const { path, message } of network.error?.issues ?? []) {
      context.addIssue({ code: 'custom', path: ['model', ...path], message });
    }
  });
export type ClassificationFile = z.infer<typeof classificationFileSchema>;

/** One image, or one patch of one, with the number of its class, from 0. */
export interface ClassificationCase extends CaseFiles {
  readonly classIndex: number;
  /** The patch's middle: voxel index along the file's own axes. */
  readonly centre?: Triple | undefined;
}

/** A checked task with absolute paths; plain data, so that it can be sent to a trainer process. */
export interface ClassificationTask extends ImagePlan {
  readonly name: string;
  readonly kind: 'classification';
  readonly classes: readonly ImageClass[];
  readonly cases: CasesOf<ClassificationCase>;
  /** Where stated, all cases lie in `cases.train` until a fold is chosen. */
  readonly folds?: FoldsPlan | undefined;
  readonly input: 'whole' | 'patch';
  readonly fit: 'resize' | 'pad';
  readonly start: StartPlan;
  readonly model: ClassificationFile['model'];
  readonly patchSizeVoxels: readonly [number, number, number];
  readonly training: ClassifierTraining;
}

interface OutputsPlan {
  readonly classes: readonly ImageClass[];
  readonly training: Pick<ClassifierTraining, 'loss'>;
}

/** Outputs of the network: one for two classes with binary cross-entropy, else one per class. */
export function outputsOf({ classes, training }: OutputsPlan): number {
  return training.loss === 'bce' ? 1 : classes.length;
}
