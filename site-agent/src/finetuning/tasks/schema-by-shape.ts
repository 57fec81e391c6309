import { z } from 'zod';

/**
 * One of several schemas, chosen by what was given, so that an error names the wrong field: a plain union would only say that
 * none of its forms fits.
 */
export function byShape<T>(choose: (given: unknown) => z.ZodType<T>) {
  return z.unknown().transform((given, context): T => {
    const parsed = choose(given).safeParse(given);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) context.addIssue({ code: 'custom', path: [...path], message });
    return z.NEVER;
  });
}
