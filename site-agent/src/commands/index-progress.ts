import { createProgress, type ProgressLine } from '@consilium/shared/terminal';
import type { IndexStep } from '../collection/index-collection.js';

const LABELS: Readonly<Record<IndexStep['pass'], string>> = {
  files: 'Looking at files',
  series: 'Putting DICOM series together',
  voxels: 'Reading voxels',
};

/** One line of progress for each pass. */
export class IndexProgress {
  private line: ProgressLine | undefined;
  private pass: IndexStep['pass'] | undefined;
  private total: number | undefined;

  /** May be called as often as one likes. */
  readonly report = (step: IndexStep): void => {
    const total = 'total' in step ? step.total : undefined;
    if (this.line === undefined || step.pass !== this.pass || total !== this.total) {
      this.line?.finish();
      this.line = createProgress({ label: LABELS[step.pass], ...(total === undefined ? {} : { total }) });
      this.pass = step.pass;
      this.total = total;
    }
    this.line.update(step.done);
  };

  finish(): void {
    this.line?.finish();
    this.line = undefined;
  }
}
