/** What connected sites cost the coordinator while there is nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { round } from '../statistics.mjs';
import { processorSeconds, residentMiB } from './process-facts.mjs';
import { withRig } from './rig.mjs';

/** Idle agents share processes: only the coordinator is looked at. */
const SITES_PER_PROCESS = 50;
const SETTLE_MS = 5000;
const WATCH_SECONDS = 20;

export function measureIdle(options) {
  return withRig(options, async (rig) => {
    const sites = options.idle;
    await rig.startCoordinator();
    const { pid } = rig.coordinator;
    const aloneMiB = residentMiB(pid);
    await rig.enrol(sites);
    for (let first = 0; first < sites; first += SITES_PER_PROCESS) {
      const count = Math.min(SITES_PER_PROCESS, sites - first);
      const group = Array.from({ length: count }, (_, position) => ({ index: first + position }));
      rig.startAgent(group, { statusPages: false, logLevel: 'warn' });
    }
    await rig.untilConnected(sites);
    await sleep(SETTLE_MS);
    const before = processorSeconds(pid);
    await sleep(1000 * WATCH_SECONDS);
    return {
      idleSites: sites,
      coordinatorRssWithoutSitesMiB: round(aloneMiB),
      coordinatorIdleRssMiB: round(residentMiB(pid)),
      coordinatorProcessorShare: round((processorSeconds(pid) - before) / WATCH_SECONDS),
    };
  });
}
