import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { LineCounter, isNode, parseDocument as parseYaml } from 'yaml';
import type { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';

/** A YAML or JSON file with the lines of its fields. */
export interface TaskDocument {
  readonly path: string;
  readonly value: unknown;
  /** "task.yaml line 12", of the field or of the nearest one above it that is there. */
  placeOf(field: readonly PropertyKey[]): string;
}

/** Throws NOT_FOUND when the file cannot be read, and TASK_INVALID naming the line when it is neither YAML nor JSON. */
export function readDocument(path: string, what: string): TaskDocument {
  const lines = new LineCounter();
  const document = parseYaml(readText(path, what), { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const words = error.message.split('\n')[0] ?? error.code;
    throw new FederationError('TASK_INVALID', `the ${what} ${path} is not valid YAML: ${words}`, {
      cause: error,
      remedy: 'Correct the file; indentation and colons are the usual reasons.',
    });
  }
  const placeOf = (field: readonly PropertyKey[]): string => {
    for (let depth = field.length; depth > 0; depth--) {
      const found = document.getIn(field.slice(0, depth), true);
      if (isNode(found) && found.range) return `${basename(path)} line ${lines.linePos(found.range[0]).line}`;
    }
    return basename(path);
  };
  return { path, value: document.toJS(), placeOf };
}

/** The text of a file that a human named; NOT_FOUND when it cannot be read. */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FederationError('NOT_FOUND', `the ${what} ${path} cannot be read`, {
      cause,
      remedy: 'Check the path; "site-agent finetune --example" prints a task file.',
    });
  }
}

/** Checks a document, or the part of it that `value` is; TASK_INVALID names file, line and field of what is wrong. */
export function checkDocument<T>(schema: z.ZodType<T>, document: TaskDocument, value: unknown = document.value): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const words = issues.slice(0, 5).map(({ path, message, code }) => {
    const keys = code === 'unrecognized_keys' ? [...path, issueKey(message)] : path;
    const field = path.length > 0 ? `${path.map(String).join('.')}: ` : '';
    return `${document.placeOf(keys)}: ${field}${message}`;
  });
  throw new FederationError('TASK_INVALID', words.join('; '), {
    details: { field: issues[0]?.path.map(String).join('.') ?? '' },
    remedy: `Correct the named ${issues.length === 1 ? 'field' : 'fields'}; "site-agent finetune --example" explains them.`,
  });
}

/** The field that an "unrecognized key" names, for its line. */
function issueKey(message: string): string {
  return /"([^"]+)"/.exec(message)?.[1] ?? '';
}
