import { FederationError } from '@consilium/shared/kernel';

/** TASK_INVALID for a case that two folds have tested: one of them comes from another division, and may have trained on it. */
export function requireTestedOnce(cases: readonly { readonly name: string; readonly fold: number }[]): void {
  const seen = new Map<string, number>();
  for (const { name, fold } of cases) {
    const other = seen.get(name);
    if (other !== undefined) {
      throw new FederationError('TASK_INVALID', `the case ${name} is tested in fold ${other} and in fold ${fold}`, {
        remedy: 'The folds come from different tasks. Fine-tune all of them into one new folder.',
      });
    }
    seen.set(name, fold);
  }
}
