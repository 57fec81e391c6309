/** Classification of images in the trainer process, for "predict" (scores) and "evaluate" (AUC and the like). */
import { FederationError } from '@consilium/shared/kernel';
import type { OrderContext } from '../trainer/order-context.js';
import type { ClassifiedImage, ClassifyOrder, ClassifyResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { Learner } from '../training/learner.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readVolume } from '../volumes/read-volume.js';
import { findCaseScan, frameNote } from './case-scan.js';
import { classifierRegion, inputOf } from './classified-image.js';
import { classify } from './classify-images.js';
import type { ImageToClassify } from './image-to-classify.js';
import { type ClassificationFacts, readModelFile, requireClassification } from './model-file.js';
import { prepareImage } from './prepare-image.js';

/** Classifies one image after the other. An image that cannot be used is reported with its reason and does not stop the rest. */
export async function executeClassify(order: ClassifyOrder, context: OrderContext): Promise<ClassifyResult> {
  const model = await readModelFile(order.modelPath);
  const facts = requireClassification(model);
  const learner = Learner.create({ runtime: openTrainerRuntime(order.limits, context), spec: model.spec });
  try {
    learner.loadWeights(model.weights);
    const images: ClassifiedImage[] = [];
    for (const [index, image] of order.images.entries()) {
      obeyStop(context.stop);
      images.push(await classifyImage(learner, image, facts, context));
      context.report('classifying', index + 1, order.images.length);
      await letEventsIn();
    }
    return { kind: 'classify', images };
  } finally {
    learner.dispose();
  }
}

async function classifyImage(
  learner: Learner,
  image: ImageToClassify,
  facts: ClassificationFacts,
  context: Pick<OrderContext, 'warn'>,
): Promise<ClassifiedImage> {
  try {
    const scan = image.scan ?? (await findCaseScan(image.choice));
    const volume = await readVolume(scan.source);
    const prepared = prepareImage(volume, scan.modality, facts);
    const note = frameNote(image.name, scan, image.choice.frame);
    if (note !== undefined) context.warn(note);
    const region = classifierRegion(prepared, volume.source, image.centre, facts);
    return { name: image.name, probabilities: classify(learner, inputOf(region, facts.patchSizeVoxels), facts) };
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.kind !== 'volume') throw error;
    return { name: image.name, refused: { code: error.code, message: error.message } };
  }
}
