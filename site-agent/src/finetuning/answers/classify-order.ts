/** Classification of images in the trainer process, for "predict" (scores) and "evaluate" (AUC and the like). */
import { isDeepStrictEqual } from 'node:util';
import { FederationError } from '@consilium/shared/kernel';
import type { OrderContext } from '../../trainer/order-context.js';
import type { ClassifiedImage, ClassifyOrder, ClassifyResult } from '../../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../../trainer/trainer-runtime.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import { readVolume } from '../../volumes/read-volume.js';
import type { StoredGeometry } from '../../volumes/volume.js';
import { findCaseScan, frameNote, type ScanChoice } from '../cases/case-scan.js';
import { classifierRegion, inputOf } from '../cases/classified-image.js';
import { type Classifier, classify } from './classify-images.js';
import type { ImageToClassify } from './image-to-classify.js';
import { requireTrainedModality } from './trained-modality.js';
import { ModelEnsemble, requireOneTask } from './model-ensemble.js';
import { type ClassificationFacts, readModelFile, requireClassification } from './model-file.js';
import { type PreparedImage, prepareImage } from '../cases/prepare-image.js';

/** Classifies one image after the other. An image that cannot be used is reported with its reason and does not stop the rest. */
export async function executeClassify(order: ClassifyOrder, context: OrderContext): Promise<ClassifyResult> {
  const models = await Promise.all(order.modelPaths.map(readModelFile));
  const facts = requireOneTask(models, requireClassification);
  const classifier = ModelEnsemble.create(models, openTrainerRuntime(order.limits, context));
  try {
    const reader = new ScanReader(facts, context);
    const images: ClassifiedImage[] = [];
    for (const [index, image] of order.images.entries()) {
      obeyStop(context.stop);
      images.push(await classifyImage(classifier, image, { facts, likeTrained: order.likeTrained }, reader));
      context.report('classifying', index + 1, order.images.length);
      await letEventsIn();
    }
    return { kind: 'classify', images };
  } finally {
    classifier.dispose();
  }
}

async function classifyImage(
  classifier: Classifier,
  image: ImageToClassify,
  { facts, likeTrained }: { readonly facts: ClassificationFacts; readonly likeTrained: boolean | undefined },
  reader: ScanReader,
): Promise<ClassifiedImage> {
  try {
    const { prepared, stored } = await reader.read(image);
    if (likeTrained === true) requireTrainedModality(prepared.modality, image.choice.modality, facts);
    const region = classifierRegion(prepared, stored, image.centre, facts);
    return { name: image.name, probabilities: classify(classifier, inputOf(region, facts.patchSizeVoxels), facts) };
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.kind !== 'volume') throw error;
    return { name: image.name, refused: { code: error.code, message: error.message, remedy: error.remedy } };
  }
}

interface ReadScan {
  readonly prepared: PreparedImage;
  readonly stored: StoredGeometry;
}

/** Reads a scan once for all of its patches that follow one another. */
class ScanReader {
  private last: { readonly choice: ScanChoice; readonly scan: ReadScan } | undefined;

  constructor(
    private readonly facts: ClassificationFacts,
    private readonly context: Pick<OrderContext, 'warn'>,
  ) {}

  async read({ name, choice, scan: known }: ImageToClassify): Promise<ReadScan> {
    if (this.last !== undefined && isDeepStrictEqual(this.last.choice, choice)) return this.last.scan;
    const found = known ?? (await findCaseScan(choice));
    const volume = await readVolume(found.source);
    const scan = { prepared: prepareImage(volume, found.modality, this.facts), stored: volume.source };
    const note = frameNote(name, found, choice.frame);
    if (note !== undefined) this.context.warn(note);
    this.last = { choice, scan };
    return scan;
  }
}
