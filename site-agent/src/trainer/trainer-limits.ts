import type { AgentConfig } from '../config/agent-config.js';
import type { TrainerLimits } from './trainer-messages.js';

/** What the site's settings allow a trainer process. */
export function trainerLimits({ threads, device, tf32, memoryLimitBytes, cacheLimitBytes }: AgentConfig): TrainerLimits {
  return { threads, device, tf32, memoryBytes: memoryLimitBytes, cacheBytes: cacheLimitBytes };
}
