/** Rounds that nothing disturbs: their times, memory, processor seconds and, where asked for, their bytes. */
import { join } from 'node:path';
import { modelOfSize } from '../../../deploy/dist/simulate/model-of-size.js';
import { watchOthers } from '../machine-facts.mjs';
import { processorSecondsOfAll } from '../own-processor-time.mjs';
import { median, round } from '../statistics.mjs';
import { compareWithReference } from './reference.mjs';
import { withRig } from './rig.mjs';
import { campaignPlan, measureCampaign, roundTimes, startSites } from './run-campaign.mjs';
import { summariseProfiles } from './summarise-profile.mjs';

/** Coordinator memory may exceed its idle memory by one model and this much. */
const CEILING_MARGIN_MIB = 64;

export function measureRounds(options) {
  return withRig(options, (rig) => measure(rig, options));
}

async function measure(rig, options) {
  const { spec, parameters } = modelOfSize(options.parameters);
  const { sites, rounds, format, recipe, profile, slowSiteSeconds } = options;
  const profiled = (name) => (profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(profile, name)}`]);
  await rig.startCoordinator(profiled('coordinator'));
  await startSites(rig, options, { withRelays: options.countBytes, nodeOptionsOfFirst: profiled('agent') });
  const othersShare = watchOthers();
  const ownBefore = processorSecondsOfAll();
  const measured = await measureCampaign(rig, campaignPlan(options, spec));
  const ownSeconds = measured.coordinatorSeconds + measured.agentSeconds + processorSecondsOfAll() - ownBefore;
  const others = othersShare(ownSeconds);
  const compared = await compareWithReference(rig, measured.view, options);
  if (profile !== undefined) await rig.stop(); // the profiles are written then
  return {
    sites,
    parameters,
    model: spec,
    rounds,
    format,
    recipe,
    ...(slowSiteSeconds === undefined ? {} : { slowSiteSeconds, grace: options.grace }),
    ...describe(measured, parameters),
    ...(options.countBytes ? describeBytes(rig, { sites, rounds, parameters }) : {}),
    ...compared,
    ...(profile === undefined
      ? {}
      : { profiles: Object.fromEntries(['coordinator', 'agent'].map((name) => [name, summariseProfiles(join(profile, name))])) }),
    othersShare: others,
  };
}

function describe({ view, phases, idleMiB, peakMiB, coordinatorSeconds, agentSeconds }, parameters) {
  const { seconds, wallPerRound } = roundTimes(view);
  const modelMiB = (4 * parameters) / 2 ** 20;
  const perRound = (value) => round(value / seconds.length);
  const states = view.roundViews.flatMap(({ participations }) => participations.map(({ state }) => state));
  return {
    medianRoundSeconds: round(median(seconds)),
    worstRoundSeconds: round(Math.max(...seconds)),
    wallSecondsPerRound: round(wallPerRound),
    phaseSeconds: phases,
    roundSeconds: seconds.map((value) => round(value)),
    delivered: states.filter((state) => state === 'delivered').length,
    late: states.filter((state) => state === 'late').length,
    cpuSeconds: perRound(coordinatorSeconds + agentSeconds),
    coordinatorCpuSeconds: perRound(coordinatorSeconds),
    agentCpuSeconds: perRound(agentSeconds),
    coordinatorIdleRssMiB: round(idleMiB),
    coordinatorPeakRssMiB: round(peakMiB),
    ceilingMiB: round(idleMiB + modelMiB + CEILING_MARGIN_MIB),
  };
}

/**
 * What crossed the relays beside the ideal: every site sends one update per round and fetches the base of each round and, to
 * score it, the last version; each of them counts as its weights in 32 bits.
 */
function describeBytes({ relays }, { sites, rounds, parameters }) {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const [up, down] = [sum(relays.map(({ bytesUp }) => bytesUp)), sum(relays.map(({ bytesDown }) => bytesDown))];
  const modelBytes = 4 * parameters;
  const [idealUp, idealDown] = [sites * rounds * modelBytes, sites * (rounds + 1) * modelBytes];
  return {
    wireBytesRatio: round((up + down) / (idealUp + idealDown), 5),
    uploadBytesRatio: round(up / idealUp, 5),
    downloadBytesRatio: round(down / idealDown, 5),
    bytesCountedBy: 'a loopback relay in front of the coordinator, one per site: all TCP payload',
  };
}
