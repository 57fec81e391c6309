import { readFileSync } from 'node:fs';

/** As package.json says. */
export const COORDINATOR_VERSION = versionIn(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')));

function versionIn(content: unknown): string {
  if (typeof content === 'object' && content !== null && 'version' in content && typeof content.version === 'string') {
    return content.version;
  }
  throw new TypeError('package.json names no version');
}
