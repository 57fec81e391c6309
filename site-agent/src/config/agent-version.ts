import { readFileSync } from 'node:fs';

/** The release of this site agent, from its package.json (two folders up from src/config and dist/config alike). */
export const AGENT_VERSION = versionIn(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')));

/** Read by every command, however short: no schema library is loaded for it. */
function versionIn(content: unknown): string {
  if (typeof content === 'object' && content !== null && 'version' in content && typeof content.version === 'string') {
    return content.version;
  }
  throw new TypeError('package.json names no version');
}
