import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { PROJECT_ROOT } from '../programs/project.js';
import type { OutputFolder } from './output-folder.js';

const DEMO_FOLDER = join(PROJECT_ROOT, 'deploy', 'demo');

/** One pretend hospital: its name is the site's name and the folder of its scans. */
export interface Hospital {
  readonly name: string;
  readonly scans: string;
  readonly summary: string;
}

export const HOSPITALS: readonly Hospital[] = [
  { name: 'hospital-a', scans: join(DEMO_FOLDER, 'data', 'hospital-a'), summary: 'brain MR' },
  { name: 'hospital-b', scans: join(DEMO_FOLDER, 'data', 'hospital-b'), summary: 'body and limb CT' },
  { name: 'hospital-c', scans: join(DEMO_FOLDER, 'data', 'hospital-c'), summary: 'limb CT and MR' },
];

/** The hospital that has ten labelled cases and fine-tunes. */
export const FINETUNING_HOSPITAL = 'hospital-a';

/** What a start may shorten; everything else is the same path. What is left out stays as in the files of deploy/demo. */
export interface DemoLength {
  readonly rounds?: number;
  /** Per site and round. */
  readonly steps?: number;
  readonly probePatches?: number;
  readonly finetuneSteps?: number;
}

/** `--fast`. */
export const FAST_LENGTH: DemoLength = { rounds: 2, steps: 6, probePatches: 4, finetuneSteps: 40 };

const campaignShape = z.looseObject({
  name: z.string(),
  rounds: z.int(),
  training: z.looseObject({ steps: z.int() }),
  probe: z.looseObject({ patches: z.int() }),
});
const taskShape = z.looseObject({
  split: z.string(),
  training: z.looseObject({ steps: z.int(), validateEverySteps: z.int(), checkpointEverySteps: z.int() }),
});
const splitShape = z.looseObject({ train: z.array(z.unknown()), test: z.array(z.looseObject({ image: z.string() })) });

/** What was written for this start, and the few facts that the summary needs of it. */
export interface DemoPlan {
  readonly campaignName: string;
  readonly rounds: number;
  readonly trainingCases: number;
  readonly testImages: readonly string[];
}

/**
 * Writes the campaign and task files of this start into the output folder, so that they can be read and started again by hand:
 * the files of deploy/demo, shortened where asked, with the scans' paths made to fit.
 */
export function writePlans(output: OutputFolder, length: DemoLength): DemoPlan {
  mkdirSync(output.root, { recursive: true });
  writeFileSync(output.markerFile, 'The folder of a Consilium demonstration; the next one replaces it.\n');
  const campaign = campaignShape.parse(parse(readFileSync(join(DEMO_FOLDER, 'campaign.yaml'), 'utf8')));
  const task = taskShape.parse(parse(readFileSync(join(DEMO_FOLDER, 'hippocampus.yaml'), 'utf8')));
  const split = splitShape.parse(parse(readFileSync(join(DEMO_FOLDER, task.split), 'utf8')));
  campaign.rounds = length.rounds ?? campaign.rounds;
  campaign.training.steps = length.steps ?? campaign.training.steps;
  campaign.probe.patches = length.probePatches ?? campaign.probe.patches;
  if (length.finetuneSteps !== undefined) {
    const half = Math.ceil(length.finetuneSteps / 2);
    Object.assign(task.training, { steps: length.finetuneSteps, validateEverySteps: half, checkpointEverySteps: half });
  }
  const ownTask: Record<string, unknown> = { ...task, cases: relocate(split, output.root) };
  delete ownTask['split']; // its lists stand in the file itself now
  writeFileSync(output.campaignFile, stringify(campaign));
  writeFileSync(output.taskFile, stringify(ownTask));
  return {
    campaignName: campaign.name,
    rounds: campaign.rounds,
    trainingCases: split.train.length,
    testImages: split.test.map(({ image }) => join(DEMO_FOLDER, image)),
  };
}

/** The same lists with their paths relative to another folder. */
function relocate(lists: Record<string, unknown>, folder: string): Record<string, unknown> {
  const paths = z.array(z.record(z.string(), z.string()));
  const moved = (path: string): string => relative(folder, join(DEMO_FOLDER, path));
  return Object.fromEntries(
    Object.entries(lists).map(([list, members]) => [
      list,
      paths.parse(members).map((files) => Object.fromEntries(Object.entries(files).map(([key, path]) => [key, moved(path)]))),
    ]),
  );
}
