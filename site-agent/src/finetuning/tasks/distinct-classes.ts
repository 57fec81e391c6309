import type { z } from 'zod';

/** Adds an issue for each name or label that two classes claim. */
export function refuseSharedLabels(
  classes: readonly { readonly name: string; readonly labels: readonly (string | number)[] }[],
  context: z.RefinementCtx,
): void {
  const seen = new Set<string | number>();
  const refuse = (index: number, message: string): void =>
    context.addIssue({ code: 'custom', path: ['classes', index], message });
  classes.forEach(({ name, labels }, index) => {
    if (seen.has(`name ${name}`)) refuse(index, `two classes are called ${name}`);
    seen.add(`name ${name}`);
    for (const label of labels) {
      if (seen.has(label)) refuse(index, `label ${label} belongs to two classes`);
      seen.add(label);
    }
  });
}
