import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { required } from '@consilium/shared/kernel';
import { z } from 'zod';
import { PROJECT_ROOT } from '../programs/project.js';
import type { TaskPlan } from './protocol.js';
import type { ShelfData } from './shelf-data.js';

const hippocampusSchema = z.object({
  val: z.array(z.string()),
  test: z.array(z.string()),
  train_subsets: z.record(z.string(), z.array(z.string())),
});
const pairSchema = z.object({ image: z.string(), label: z.string() });
const gtvSchema = z.object({
  cases: z.record(z.string(), pairSchema),
  train: z.array(z.string()),
  val: z.array(z.string()),
  test: z.array(z.string()),
});

/** The members of a task file that name its cases, with absolute paths. `work` is where converted images are kept. */
export function targetCases(data: ShelfData, plan: TaskPlan, labels: number | undefined, work: string): Record<string, unknown> {
  switch (plan.data) {
    case 'hippocampus':
      return hippocampus(data, labels ?? 140);
    case 'sts-gtv':
      return tumours(data);
    case 'sts-patch':
      return { split: { file: data.path('cls/sts_patch/patches.csv'), folder: data.folder, columns: PATCH_COLUMNS } };
    case 'adrenal':
      return adrenal(data, work);
  }
}

const PATCH_COLUMNS = { image: 'path', class: 'label' };

function hippocampus(data: ShelfData, labels: number): Record<string, unknown> {
  const folder = 'seg/hippocampus';
  const split = hippocampusSchema.parse(data.readJson(`${folder}/split.json`));
  const pairs = (names: readonly string[]): object[] =>
    names.map((name) => ({
      image: data.path(`${folder}/images/${name}.nii.gz`),
      label: data.path(`${folder}/labels/${name}.nii.gz`),
    }));
  const train = split.train_subsets[String(labels)];
  if (train === undefined) throw new Error(`the split has no subset of ${labels} cases`);
  return { cases: { train: pairs(train), validation: pairs(split.val), test: pairs(split.test) } };
}

function tumours(data: ShelfData): Record<string, unknown> {
  const split = gtvSchema.parse(data.readJson('seg/sts_gtv/split.json'));
  const pairs = (names: readonly string[]): object[] =>
    names.map((name) => {
      const { image, label } = required(split.cases[name], `the case ${name}`);
      return { image: data.path(image), label: data.path(label), patient: name };
    });
  return { cases: { train: pairs(split.train), validation: pairs(split.val), test: pairs(split.test) } };
}

/** Images of the archive, once. Its official validation cases are the test; a seeded fifth of the training cases validates. */
function adrenal(data: ShelfData, work: string): Record<string, unknown> {
  const folder = join(work, 'adrenal');
  const table = join(folder, 'cases.csv');
  if (!existsSync(table)) {
    const converter = join(PROJECT_ROOT, 'deploy', 'data', 'convert-medmnist.mjs');
    execFileSync(process.execPath, [converter, data.path('cls/adrenal/adrenalmnist3d_trainval.npz'), folder], {
      stdio: 'ignore',
    });
  }
  const rows = readFileSync(table, 'utf8').trim().split('\n').slice(1);
  const cases = rows.map((row) => {
    const [image = '', label = '', official = ''] = row.split(',');
    return { image: join(folder, image), class: label, official };
  });
  const training = cases.filter(({ official }) => official === 'train');
  const isHeldOut = (index: number): boolean => index % 5 === 4;
  const listed = ({ image, class: label }: (typeof cases)[number]): object => ({ image, class: label });
  return {
    cases: {
      train: training.filter((_, index) => !isHeldOut(index)).map(listed),
      validation: training.filter((_, index) => isHeldOut(index)).map(listed),
      test: cases.filter(({ official }) => official === 'validation').map(listed),
    },
  };
}
