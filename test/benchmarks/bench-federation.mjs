/**
 * What a round costs: a real coordinator and real agent processes on loopback, real HTTP and sockets, SQLite and files on disk,
 * sites that do no training. Prints one JSON line. Options and what they measure: --help.
 *
 * usage: npm run bench:federation -- --sites 4 --parameters 25M --rounds 5
 */
import { modelOfSize } from '../../deploy/dist/simulate/model-of-size.js';
import { algorithmOf } from '../../shared/dist/kernel/index.js';
import { HELP, readOptions } from './federation/options.mjs';
import { referenceDigest } from './federation/reference.mjs';
import { FederationRig } from './federation/rig.mjs';
import { averagedSites, campaignPlan, measureCampaign, roundTimes } from './federation/run-campaign.mjs';
import { machineFacts } from './machine-facts.mjs';
import { printResult } from './print-result.mjs';
import { median, round } from './statistics.mjs';

/** Coordinator memory may exceed its idle memory by one model and this much. */
const CEILING_MARGIN_MIB = 64;

if (process.argv.includes('--help')) console.log(HELP);
else await printResult(benchmark);

async function benchmark() {
  const options = readOptions(process.argv.slice(2));
  const rig = new FederationRig();
  const leave = () => {
    rig.killAll();
    if (!options.keep) rig.remove();
  };
  process.on('exit', leave);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  try {
    return await measure(rig, options);
  } finally {
    await rig.stop();
    if (options.keep) console.error(rig.folder);
  }
}

async function measure(rig, options) {
  const { spec, parameters } = modelOfSize(options.parameters);
  const { sites, slowSiteSeconds, equalWeights, profile } = options;
  const profiled = (name) =>
    profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}`];
  await rig.startCoordinator(profiled('coordinator.cpuprofile'));
  await rig.enrol(sites);
  for (let index = 0; index < sites; index++) {
    const trainingMs = index === sites - 1 ? 1000 * (slowSiteSeconds ?? 0) : 0;
    const site = { index, trainingMs, fewerSteps: equalWeights ? 0 : index };
    rig.startAgent([site], { nodeOptions: index === 0 ? profiled('agent.cpuprofile') : [] });
  }
  await rig.untilConnected(sites);
  const quorum = slowSiteSeconds === undefined ? sites : Math.max(1, sites - 1);
  const measured = await measureCampaign(rig, campaignPlan({ options, spec, quorum }));
  return {
    sites,
    parameters,
    model: spec,
    rounds: options.rounds,
    ...describe(measured, parameters),
    ...(await compare(rig, measured.view, options)),
    format: options.format,
    recipe: options.recipe,
    machine: machineFacts(),
  };
}

function describe({ view, idleMiB, peakMiB, coordinatorSeconds, agentSeconds }, parameters) {
  const { seconds, wallPerRound } = roundTimes(view);
  const modelMiB = (4 * parameters) / 2 ** 20;
  const perRound = (value) => round(value / seconds.length);
  return {
    medianRoundSeconds: round(median(seconds)),
    worstRoundSeconds: round(Math.max(...seconds)),
    wallSecondsPerRound: round(wallPerRound),
    roundSeconds: seconds.map((value) => round(value)),
    cpuSeconds: perRound(coordinatorSeconds + agentSeconds),
    coordinatorCpuSeconds: perRound(coordinatorSeconds),
    agentCpuSeconds: perRound(agentSeconds),
    coordinatorIdleRssMiB: round(idleMiB),
    coordinatorPeakRssMiB: round(peakMiB),
    ceilingMiB: round(idleMiB + modelMiB + CEILING_MARGIN_MIB),
  };
}

/** The digest of the last version, and whether it is the reference's; null where there is no reference. */
async function compare(rig, view, { format, recipe }) {
  const { digest } = view.version;
  const facts = { digest, digestAlgorithm: algorithmOf(digest) };
  if (format !== 'f32' || recipe !== 'fedavg') return { ...facts, digestMatchesReference: null };
  const expected = referenceDigest({
    firstFile: await rig.download(view.name, view.initialVersion),
    lastFile: await rig.download(view.name, view.version),
    rounds: averagedSites(view),
    algorithm: facts.digestAlgorithm,
  });
  return { ...facts, digestMatchesReference: expected === digest };
}
