/** What `site-agent pretrain --example` prints: a recipe for a few dozen volumes on a computer without a graphics card. */
export const EXAMPLE_RECIPE = `# A pretraining recipe: site-agent pretrain recipe.yaml --data /path/to/scans --output my-model
# Fields that are left out are as Models Genesis published them; docs/guides/pretraining.md explains all of them.
name: example

model:
  architecture: genesis-unet3d
  width: 8              # channels of the first layer; 32 as published, at 16 times the cost
  norm: batch           # as published

objective:
  kind: models-genesis
  transforms:           # at the end of the curriculum, and in validation
    nonlinearProbability: 0.9
    invertedShare: 0    # 0.5 as published; inverted contrast can hardly be undone where CT and MR are mixed
    # byModality:       # where one modality is to be mapped differently
    #   CT: { nonlinearProbability: 0.5 }
  curriculum:           # easier to begin with; "until" is a share of all steps
    - { until: 0.2, nonlinearProbability: 0 }

patch:
  sizeVoxels: [32, 32, 32]   # x, y, z; 64, 64, 32 as published

training:
  optimizer: { kind: adam, learningRate: 0.001 }
  schedule: { kind: cosine, warmUp: { steps: 50 } }   # or epochs (as published), plateau, step, polynomial, constant
  batchSize: 6
  patchesPerVolume: 32       # an epoch is this many patches of each volume
  steps: 3000                # or minutes: 120, or epochs; whichever comes first
  earlyStopEpochs: 50        # without a better validation loss

validation:
  share: 0.2                 # of the volumes, held out by the seed; or name them:
  # volumes: [scan-07.nii.gz, scan-12.nii.gz]
  patchesPerVolume: 4

seed: 1
`;
