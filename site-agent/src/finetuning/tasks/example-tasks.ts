import type { FinetuneTask } from './finetune-task.js';

const IMAGES = `# modality: MR          # CT or MR of all images; left out, each case, its header or its values tell
# spacingMm: 1.0        # resample to this voxel size (one number, or x, y, z); each scan's own grid when left out
# ctWindowHu: [-1000, 1000]    # Hounsfield units that become 0 and 1; as the start model was pretrained
# percentiles: [0.5, 99.5]     # of the non-zero voxels of MR, which become 0 and 1`;

const START = `start:
  from: scratch         # a model file, a folder of "finetune", a pin or CAMPAIGN@VERSION of "site-agent model list", or scratch
  outputLayer: auto     # auto keeps the last layer when its size fits; fresh draws it anew
  fresh: []             # what is drawn afresh all the same: encoder, decoder, or blocks such as d1`;

const SCHEDULE = `  steps: 1000             # at most
  batchSize: 4
  learningRate: 0.001
  optimizer: adam         # adam, adamw, sgd, or one with details: { kind: sgd, momentum: 0.9, nesterov: true }
  mode: full              # full, linear-probe, or { kind: frozen-then-unfrozen, frozenSteps: 100 }
  encoderRateFactor: 1    # below 1 the encoder that was loaded learns more slowly
  layerRateDecay: 1       # below 1 each loaded block learns more slowly than the one after it
  freshFirst: 0           # steps in which the rate of loaded layers climbs from nothing
  schedule: { kind: constant, warmUp: { steps: 20 } }    # or cosine, polynomial, step
  precision: f32          # bf16 or auto where the machine computes it fast
  validateEverySteps: 50
  earlyStopPatience: 30   # validations without a better result
  augmentation: light     # none, light, full; { level: light, flipAxes: [y, z] } when left and right differ
  seed: 1`;

/** A commented task file for segmentation: it parses once its folders are there. */
export const SEGMENTATION_EXAMPLE = `# A segmentation for "site-agent finetune". Paths are relative to this file.
name: liver
kind: segmentation
${IMAGES}
classes:                # one output of the network each; labels are the values in the label maps
  - { name: liver, labels: [1, 2] }

# The cases, in one of these ways:
# 1. two folders whose files have the same names; shares of the patients are held out
folders: { images: images, labels: labels }
holdOut: { validation: 0.2, test: 0.2, seed: 1 }
# 2. the same folders with patient-wise folds, each tested once: folds: { count: 5, seed: 1 } instead of holdOut
# 3. lists of your own:
# cases:
#   train: [{ image: scans/p01.nii.gz, label: labels/p01.nii.gz, patient: p01 }]
#   validation: []
#   test: []
# 4. a table with the columns image, label, and perhaps split, patient, name: split: cases.csv

${START}
model: { architecture: genesis-unet3d, width: 8, norm: instance }    # from scratch; a start model brings its own
patchSizeVoxels: [64, 64, 32]    # multiples of 8; smaller scans are padded

training:
  loss: dice-bce          # or dice
  watch: loss             # or dice: what keeps weights, cuts the rate and stops training
  foregroundShare: 0.5    # patches that are centred on a labelled voxel
  balance: cases          # classes: each class is centred on as often as the others
${SCHEDULE}
`;

/** The same for classification. */
export const CLASSIFICATION_EXAMPLE = `# A classification for "site-agent finetune". Paths are relative to this file.
name: nodule
kind: classification
${IMAGES}
classes:                # in the order of the scores; labels are other words for a class in the table
  - { name: benign, labels: [0] }
  - { name: malignant, labels: [1] }

input: whole            # the whole image, or patch: around each case's centre (columns i, j, k: voxels of the file, from 0)
fit: resize             # of whole images: stretched to the patch size; pad: kept, with zeros around them
patchSizeVoxels: [64, 64, 32]    # multiples of 8; patches that reach beyond the image are filled with zeros

# The cases: a table with the columns image and class, and perhaps split, patient, i, j, k, name;
# or lists, as in: cases: { train: [{ image: scans/p01.nii.gz, class: benign, patient: p01 }] }
split: cases.csv        # or { file: cases.csv, folder: /data, columns: { image: path, class: label } }
folds: { count: 5, seed: 1 }    # patient-wise; or holdOut: { validation: 0.2, test: 0.2 }, or a column split

${START}
model: { architecture: genesis-classifier, width: 8, norm: instance }    # from scratch; a start model brings its encoder

training:
  loss: cross-entropy     # or bce: one output for the second of two classes
  watch: loss             # or auc, accuracy: what keeps weights, cuts the rate and stops training
  balance: classes        # each class is drawn as often as the others; none: each case as often
${SCHEDULE}
`;

export const EXAMPLES: Readonly<Record<FinetuneTask['kind'], string>> = {
  segmentation: SEGMENTATION_EXAMPLE,
  classification: CLASSIFICATION_EXAMPLE,
};
