import type { ErrorCode } from '@consilium/shared/kernel';
import { ERROR_CODES, KIND_RULES } from '@consilium/shared/kernel';
import { formatTable } from './table.js';

/** One line of what a doctor found. */
export interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly finding: string;
  /** What to do about it; only when it is not ok. */
  readonly remedy?: string | undefined;
  readonly code?: ErrorCode | undefined;
}

const LOWEST_NODE = [20, 19] as const;
const MARKS = { ok: '✓', warning: '!', failed: '✗' };

/** A table, and below it what to do about each line that is not ok. */
export function describeChecks(checks: readonly Check[]): string {
  const table = formatTable(
    ['', 'what', 'found'],
    checks.map((check) => [MARKS[check.status], check.name, check.finding]),
  );
  const advice = checks.flatMap(({ status, name, remedy }) =>
    remedy === undefined ? [] : [`${MARKS[status]} ${name}: ${remedy}`],
  );
  return [table, '', ...advice].join('\n');
}

/** Of a doctor's command: that of the first line that failed, 0 when none did. */
export function exitCodeOfChecks(checks: readonly Check[]): number {
  const failed = checks.find(({ status }) => status === 'failed');
  return failed === undefined ? 0 : KIND_RULES[ERROR_CODES[failed.code ?? 'INVARIANT']].exitCode;
}

/** Whether this Node release runs our programs. */
export function checkNodejsVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isFine = major > LOWEST_NODE[0] || (major === LOWEST_NODE[0] && minor >= LOWEST_NODE[1]);
  if (isFine) return { name: 'Node', status: 'ok', finding: version };
  const remedy = `Install Node ${LOWEST_NODE.join('.')} or newer.`;
  return { name: 'Node', status: 'failed', finding: `${version} is too old`, remedy, code: 'CONFIG_INVALID' };
}
