import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's root, from deploy/dist/programs as from deploy/src/programs. */
export const PROJECT_ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

export const COORDINATOR_PROGRAM = join(PROJECT_ROOT, 'coordinator', 'bin', 'coordinator.mjs');
export const SITE_AGENT_PROGRAM = join(PROJECT_ROOT, 'site-agent', 'bin', 'site-agent.mjs');
