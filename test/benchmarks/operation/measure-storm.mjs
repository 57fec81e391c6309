/** How soon all sites are back after their coordinator was away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { median, round } from '../statistics.mjs';
import { withRig } from '../federation/rig.mjs';

/** Real agents, several in a process: their start is not measured. */
const SITES_PER_PROCESS = 50;

export function measureStorm({ storm: sites, outage, repeats }) {
  return withRig({ keep: false }, async (rig) => {
    await rig.startCoordinator();
    await rig.enrol(sites);
    for (let first = 0; first < sites; first += SITES_PER_PROCESS) {
      const count = Math.min(SITES_PER_PROCESS, sites - first);
      const group = Array.from({ length: count }, (_, position) => ({ index: first + position }));
      rig.startAgent(group, { statusPages: false, logLevel: 'warn' });
    }
    await rig.untilConnected(sites);
    const took = [];
    for (let repeat = 0; repeat < repeats; repeat++) {
      await rig.coordinator.stop(repeat % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      await sleep(1000 * outage);
      const startedAt = performance.now();
      await rig.coordinator.restart();
      await rig.untilConnected(sites);
      took.push((performance.now() - startedAt) / 1000);
    }
    return {
      sites,
      outageSeconds: outage,
      worstSecondsUntilAllReady: round(Math.max(...took), 2),
      medianSecondsUntilAllReady: round(median(took), 2),
    };
  });
}
