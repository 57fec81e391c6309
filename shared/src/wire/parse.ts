import { type z } from 'zod';
import { type ErrorCode, FederationError } from '@consilium/shared/kernel';

/** Parses foreign data; the error names the first field that is wrong and what it should be. */
export function parseWith<T>(schema: z.ZodType<T>, value: unknown, code: ErrorCode, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => `${issue.path.length > 0 ? issue.path.join('.') : what}: ${issue.message}`);
  throw new FederationError(code, `${what} is not valid: ${issues.slice(0, 5).join('; ')}`, {
    details: { field: result.error.issues[0]?.path.join('.') ?? '' },
    remedy: `Correct the named ${issues.length === 1 ? 'field' : 'fields'} and try again.`,
  });
}
