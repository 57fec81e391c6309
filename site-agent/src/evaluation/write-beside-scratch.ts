import { join } from 'node:path';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { writeRecord } from '../training/round-folder.js';

/** How the reports of one kind of task are written and compared. */
export interface ReportKind<Report, Comparison extends object> {
  readonly write: (folder: string, report: Report) => Promise<unknown>;
  readonly compare: (ours: Report, scratch: Report) => Comparison;
}

/** A scratch run's report, and how the model's compares with it. */
export interface BesideScratch<Report, Comparison> {
  readonly report: Report;
  readonly comparison: Comparison;
}

/** Writes a report into the folder, and where there is a scratch run its report under scratch/ and comparison.json. */
export async function writeBesideScratch<Report, Comparison extends object>(
  folder: string,
  report: Report,
  scratch: Report | undefined,
  { write, compare }: ReportKind<Report, Comparison>,
): Promise<BesideScratch<Report, Comparison> | undefined> {
  await makeFolder(folder);
  await write(folder, report);
  if (scratch === undefined) return undefined;
  const comparison = compare(report, scratch);
  await makeFolder(join(folder, 'scratch'));
  await write(join(folder, 'scratch'), scratch);
  await writeRecord(join(folder, 'comparison.json'), comparison);
  return { report: scratch, comparison };
}
