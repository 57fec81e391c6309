/** One campaign on a rig, from its start to its end, and what it took. */
import { setTimeout as sleep } from 'node:timers/promises';
import { watchEvents } from '../../../deploy/dist/simulate/watch-events.js';
import { forgetPeak, peakResidentMiB, processorSeconds, residentMiB } from './process-facts.mjs';
import { RoundPhases } from './round-phases.mjs';

const CAMPAIGN = 'bench';
/** Enough that site k may leave out k of them. */
const STEPS = 1000;
const POLL_MS = 100;
/** Every so many polls. */
const RARELY = 30;
const ENDED = ['failed', 'cancelled'];

/** The campaign's file. With a slow site the quorum is all others. */
export function campaignPlan({ sites, rounds, recipe, format, digest, grace, slowSiteSeconds }, spec) {
  return {
    name: CAMPAIGN,
    model: spec,
    patch: { sizeVoxels: [64, 64, 64] },
    training: { steps: STEPS },
    rounds,
    quorum: slowSiteSeconds === undefined ? sites : Math.max(1, sites - 1),
    grace,
    recipe: { name: recipe },
    ...(format === 'f32' ? {} : { updates: { format } }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Enrols all sites, starts a process for each and waits until they are connected. */
export async function startSites(rig, { sites, slowSiteSeconds = 0, equalWeights }, { withRelays, nodeOptionsOfFirst = [] }) {
  await rig.enrol(sites, { withRelays });
  for (let index = 0; index < sites; index++) {
    const trainingMs = index === sites - 1 ? 1000 * slowSiteSeconds : 0;
    const site = { index, trainingMs, fewerSteps: equalWeights ? 0 : index };
    rig.startAgent([site], { nodeOptions: index === 0 ? nodeOptionsOfFirst : [] });
  }
  await rig.untilConnected(sites);
}

/**
 * Waits until the campaign has finished and returns its view; throws when it ends otherwise. `look` is called in between and says
 * when there is news. Without news the coordinator is asked rarely: a view of many rounds costs it time and memory of its own.
 */
export async function untilEnded(rig, look) {
  for (let rest = 0; ; rest--) {
    if (look() || rest <= 0) {
      const view = await rig.campaign(CAMPAIGN).catch(() => undefined);
      if (view?.state === 'finished') return view;
      if (view !== undefined && ENDED.includes(view.state)) throw new Error(`the campaign ended as ${view.state} (${view.code})`);
      rest = RARELY;
    }
    await sleep(POLL_MS);
  }
}

/** Starts the campaign, follows it to its end and takes times, memory and processor seconds meanwhile. */
export async function measureCampaign(rig, plan) {
  const { pid } = rig.coordinator;
  const idleMiB = residentMiB(pid);
  const phases = new RoundPhases();
  let isNews = false;
  const endWatch = await watchEvents(rig.coordinator.access(), (event) => {
    phases.hear(event);
    isNews ||= event.kind === 'campaign';
  });
  const look = () => {
    rig.requireAgents();
    const wasNews = isNews;
    isNews = false;
    return wasNews;
  };
  try {
    forgetPeak(pid);
    await rig.startCampaign(plan);
    const usedBefore = new Map(rig.pids.map((each) => [each, processorSeconds(each)]));
    const view = await untilEnded(rig, look);
    const used = [...usedBefore].map(([each, before]) => processorSeconds(each) - before);
    return {
      view,
      phases: phases.medians(),
      idleMiB,
      peakMiB: peakResidentMiB(pid),
      coordinatorSeconds: used[0],
      agentSeconds: used.slice(1).reduce((sum, seconds) => sum + seconds, 0),
    };
  } finally {
    endWatch();
  }
}

/** Seconds from planned to finished, round by round, and per round over the whole campaign, pauses between rounds included. */
export function roundTimes({ roundViews }) {
  const seconds = roundViews.map(({ startedAtMs, finishedAtMs }) => (finishedAtMs - startedAtMs) / 1000);
  const wall = (roundViews.at(-1).finishedAtMs - roundViews[0].startedAtMs) / 1000;
  return { seconds, wallPerRound: wall / roundViews.length };
}
