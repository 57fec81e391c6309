import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';

/**
 * The file that a report goes to, in the site's folder when none is named. Asked before anything is indexed: a folder of scans, or a
 * scan, that stands behind --report is meant to be indexed, and must never be written over. ARGUMENT_INVALID, FOLDER_MISSING.
 */
export function chooseReportFile(named: string | true, home: string): string {
  if (named === true) return join(home, 'collection-report.html');
  if (!/\.html?$/i.test(named) || statSync(named, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new FederationError('ARGUMENT_INVALID', `--report ${named}: the report is a page whose name ends in .html`, {
      remedy: 'If that is what to index, name it first: site-agent index FOLDER --report',
    });
  }
  if (existsSync(dirname(resolve(named)))) return named;
  throw new FederationError('FOLDER_MISSING', `there is no folder ${dirname(resolve(named))} for the report`, {
    remedy: 'Make it first, or name another.',
  });
}
