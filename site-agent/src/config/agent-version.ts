import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** The release of this site agent, from its package.json (two folders up from src/config and dist/config alike). */
export const AGENT_VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))).version;
