/** Reports that an earlier attempt wrote: whole scans take long to answer for, and of folds most are done when the last one stops. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestOfJson } from '@consilium/shared/kernel';
import { z } from 'zod';
import { AGENT_VERSION } from '../config/agent-version.js';
import { readRecord } from '../training/round-folder.js';
import { digestsOfCases } from './cases/case-digests.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import { imagePlanOf } from './tasks/image-plan.js';

const stampedSchema = z.looseObject({ scored: z.string() });

/** Names what a report tells of by all that decides its figures; undefined where a case cannot be read, which its scoring will tell. */
export async function nameScoring(task: FinetuneTask, model: Digest): Promise<Digest | undefined> {
  const { name, kind, classes } = task;
  const { test } = task.cases;
  const cases = await digestsOfCases(test).catch(() => undefined);
  if (cases === undefined) return undefined;
  const patients = test.map((entry) => [entry.name, entry.patient ?? null]);
  return digestOfJson({ version: AGENT_VERSION, model, name, kind, classes, ...imagePlanOf(task), patients, cases });
}

/** The report in the folder if it is of what `scored` names, and its table and pictures are there too. */
export async function keptReport<Report>(
  folder: string,
  scored: Digest | undefined,
  pictures: Iterable<string> = [],
): Promise<Report | undefined> {
  const report = await readRecord(join(folder, 'results.json'), stampedSchema);
  if (report === undefined || report.scored !== scored) return undefined;
  // The stamp names the program's version and the work: it is what this program wrote of the same.
  const others = [join(folder, 'results.csv'), ...pictures];
  return others.every((path) => existsSync(path)) ? (report as Report) : undefined;
}
