import { z } from 'zod';
import { fraction, positiveInteger } from '@consilium/shared/wire';
import { modalityField } from './image-plan.js';
import { byShape } from './schema-by-shape.js';

const index = z.int().min(0);

/** Any name that a file may have, for that is where it mostly comes from. */
const caseNameField = z
  .string()
  .min(1)
  .max(200)
  .refine((text) => !/[\/\\\p{Cc}]/u.test(text), 'expected a name without slashes');

/** One image of a task as a human writes it; which fields are needed depends on the kind of task. */
const caseEntrySchema = z.strictObject({
  image: z.string().min(1),
  label: z.string().min(1).optional().describe('the label map, for segmentation'),
  class: z
    .union([z.string().min(1), z.number()])
    .optional()
    .describe('what the image shows, for classification'),
  patient: z
    .union([z.string().min(1), z.number()])
    .optional()
    .describe('cases of one patient never part; the image when left out'),
  series: index.optional().describe('which volume of a folder with several, as "convert" lists them'),
  frame: index.optional().describe('which frame of a scan with several (time points, echoes); the first when left out'),
  modality: modalityField.optional().describe("of this image, where its values don't tell and the task says nothing of all"),
  centre: z.tuple([index, index, index]).optional().describe("the patch's middle: voxel along the file's own axes, from 0"),
  name: caseNameField.optional().describe("how reports call the case; the image file's name by default"),
});
export type CaseEntry = z.infer<typeof caseEntrySchema>;

const name = z.string().min(1);

/** A name alone means the files of that name in the task's `folders`. */
const listedSchema = byShape<string | CaseEntry>((given) => (typeof given === 'string' ? name : caseEntrySchema));

export const CASE_LISTS = ['train', 'validation', 'test'] as const;
export type CaseList = (typeof CASE_LISTS)[number];

/** Lists as a task or a split file has them. Whether one may be empty is a question of what the task is read for. */
export const caseListsSchema = z.strictObject({
  train: z.array(listedSchema).default([]),
  validation: z.array(listedSchema).default([]),
  test: z.array(listedSchema).default([]),
});

export type CaseLists = z.infer<typeof caseListsSchema>;

const rowSchema = caseEntrySchema.extend({ split: name.optional().describe('train, validation or test') });
export type CaseRow = z.infer<typeof rowSchema>;

/** Entries that may each say which list they belong to. */
export const caseRowsSchema = z
  .array(byShape<string | CaseRow>((given) => (typeof given === 'string' ? name : rowSchema)))
  .min(1, 'at least one case is needed');
export type CaseRows = z.infer<typeof caseRowsSchema>;

/** Lists, or rows of one list. */
export const casesSchema = byShape<CaseLists | CaseRows>((given) => (Array.isArray(given) ? caseRowsSchema : caseListsSchema));

/** What the columns of a CSV file are called, where not like the fields. */
const columnsSchema = z.strictObject({
  image: name.optional(),
  label: name.optional(),
  class: name.optional(),
  split: name.optional(),
  patient: name.optional(),
  series: name.optional(),
  frame: name.optional(),
  modality: name.optional(),
  name: name.optional(),
  centre: z.tuple([z.string(), z.string(), z.string()]).optional().describe('three columns; i, j and k when left out'),
});
export type SplitColumns = z.infer<typeof columnsSchema>;

const splitSchema = z.preprocess(
  (given) => (typeof given === 'string' ? { file: given } : given),
  z.strictObject({
    file: z.string().min(1).describe('CSV, or YAML or JSON with the lists train, validation and test or with rows'),
    folder: z.string().min(1).optional().describe("what the file's paths are relative to; the task file's folder when left out"),
    columns: columnsSchema.optional().describe('of a CSV file'),
    lists: z
      .strictObject({ train: name.optional(), validation: name.optional(), test: name.optional() })
      .optional()
      .describe('what the lists of a YAML or JSON file are called, such as "subsets.10"; its other fields are passed over'),
  }),
);

const foldersSchema = z.strictObject({
  images: z.string().min(1),
  labels: z.string().min(1).optional().describe('label maps called like their images, for segmentation'),
});

/** Takes parts of an undivided list for validation and test, by patient. */
const holdOutSchema = z.strictObject({
  validation: fraction.default(0.2),
  test: fraction.default(0.2),
  seed: z.int().min(0).default(1),
});
export type HoldOutPlan = z.infer<typeof holdOutSchema>;

/** Patient-wise folds of an undivided list: each is tested once, the next one validates, the others train. */
const foldsSchema = z.strictObject({
  count: positiveInteger.min(3, 'three folds are the least: one trains, one validates, one tests').max(100),
  seed: z.int().min(0).default(1),
});
export type FoldsPlan = z.infer<typeof foldsSchema>;

/** How a task names its cases. */
export const caseSourceFields = {
  cases: casesSchema.optional(),
  split: splitSchema.optional().describe('a file with the cases instead of "cases"'),
  folders: foldersSchema.optional().describe('images and labels that are matched by name'),
  holdOut: holdOutSchema.optional(),
  folds: foldsSchema.optional(),
};

export type CaseSource = z.infer<z.ZodObject<typeof caseSourceFields>>;

/** Adds what {@link caseSourceFields} cannot say field by field. */
export function checkCaseSource(source: CaseSource, context: z.RefinementCtx): void {
  const refuse = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message });
  const { cases, split, folders, folds, holdOut } = source;
  if (cases !== undefined && split !== undefined) refuse('cases', 'give either "cases" or "split"');
  if (cases === undefined && split === undefined && folders === undefined) refuse('cases', 'give "cases", "split" or "folders"');
  if (folds !== undefined && holdOut !== undefined) refuse('holdOut', 'give either "folds" or "holdOut"');
  if (holdOut !== undefined && holdOut.validation + holdOut.test >= 1) refuse('holdOut', 'nothing would be left to train on');
}
