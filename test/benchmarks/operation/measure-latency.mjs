/** How long a site waits for an answer while others report their progress. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { modelOfSize } from '../../../deploy/dist/simulate/model-of-size.js';
import { AskedProcess } from '../asked-process.mjs';
import { withRig } from '../federation/rig.mjs';
import { round } from '../statistics.mjs';

const FOR_MS = 10_000;
/** As agents report. */
const EVERY_MS = 1000;

export async function measureLatency({ talkers, loud }) {
  const usual = await latencyBeside(talkers, EVERY_MS);
  const flatOut = await latencyBeside(loud, 0);
  return { ...usual, flatOut };
}

/** Talkers and the one who waits are processes of their own: neither measures the other's event loop. */
function latencyBeside(sites, everyMs) {
  return withRig({ keep: false }, async (rig) => {
    mkdirSync(rig.coordinatorHome, { recursive: true });
    // What is measured is the coordinator, not its limit on each site.
    writeFileSync(join(rig.coordinatorHome, 'coordinator.yaml'), 'messagesPerSite: 100000\n');
    await rig.startCoordinator();
    const { url, token } = rig.coordinator.access();
    const [talking, waiting] = await Promise.all([
      AskedProcess.start('./operation/raw-sites.mjs'),
      AskedProcess.start('./operation/raw-sites.mjs'),
    ]);
    try {
      await waiting.ask('connect', { url, token, names: ['listener'] });
      await talking.ask('connect', { url, token, names: Array.from({ length: sites }, (_, index) => `talker-${index}`) });
      await rig.startCampaign({
        name: 'talk',
        model: modelOfSize(1).spec,
        training: { steps: 1 },
        rounds: 1,
        quorum: sites,
        seed: 7,
      });
      await talking.ask('awaitParts');
      const [reports, latenciesMs] = await Promise.all([
        talking.ask('talk', { everyMs, forMs: FOR_MS }),
        waiting.ask('listen', { forMs: FOR_MS }),
      ]);
      const sorted = latenciesMs.toSorted((a, b) => a - b);
      const at = (share) => round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))], 1);
      return {
        talkers: sites,
        reportsPerSecond: Math.round((1000 * reports) / FOR_MS),
        ...{ p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1), asked: sorted.length },
      };
    } finally {
      await Promise.all([talking.stop(), waiting.stop()]);
    }
  });
}
