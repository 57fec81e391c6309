/** One campaign on a rig, from its start to its end, and what it took. */
import { setTimeout as sleep } from 'node:timers/promises';
import { shiftOf } from '../../../deploy/dist/simulate/light-trainer.js';
import { forgetPeak, peakResidentMiB, processorSeconds, residentMiB } from './process-facts.mjs';

const CAMPAIGN = 'bench';
/** Enough that site k may leave out k of them. */
const STEPS = 1000;
const ENDED = ['finished', 'failed', 'cancelled'];

/** The campaign's file. */
export function campaignPlan({ options, spec, quorum }) {
  const { rounds, recipe, format, digest, grace } = options;
  return {
    name: CAMPAIGN,
    model: spec,
    patch: { sizeVoxels: [64, 64, 64] },
    training: { steps: STEPS },
    rounds,
    quorum,
    grace,
    recipe: { name: recipe },
    ...(format === 'f32' ? {} : { updates: { format } }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** Waits until the campaign has ended and returns its view; `look` is called in between. */
export async function untilEnded(rig, look = () => undefined) {
  for (;;) {
    const view = await rig.campaign(CAMPAIGN).catch(() => undefined);
    if (view !== undefined && ENDED.includes(view.state)) return view;
    look(view);
    await sleep(250);
  }
}

/** Starts the campaign, follows it to its end and takes times, memory and processor seconds meanwhile. */
export async function measureCampaign(rig, plan) {
  const { pid } = rig.coordinator;
  const idleMiB = residentMiB(pid);
  forgetPeak(pid);
  await rig.startCampaign(plan);
  const usedBefore = new Map(rig.pids.map((each) => [each, processorSeconds(each)]));
  const view = await untilEnded(rig, () => rig.requireAgents());
  const used = [...usedBefore].map(([each, before]) => processorSeconds(each) - before);
  if (view.state !== 'finished') throw new Error(`the campaign ended as ${view.state} (${view.code}); the logs: ${rig.folder}`);
  return {
    view,
    idleMiB,
    peakMiB: peakResidentMiB(pid),
    coordinatorSeconds: used[0],
    agentSeconds: used.slice(1).reduce((sum, seconds) => sum + seconds, 0),
  };
}

/** Seconds from planned to finished, round by round, and per round over the whole campaign, pauses between rounds included. */
export function roundTimes({ roundViews }) {
  const seconds = roundViews.map(({ startedAtMs, finishedAtMs }) => (finishedAtMs - startedAtMs) / 1000);
  const wall = (roundViews.at(-1).finishedAtMs - roundViews[0].startedAtMs) / 1000;
  return { seconds, wallPerRound: wall / roundViews.length };
}

/** Who was averaged in each round, in the order of the sites' names. */
export function averagedSites({ roundViews }) {
  return roundViews.map(({ participations }) =>
    participations
      .filter(({ state }) => state === 'delivered')
      .map(({ siteName, patches }) => ({ shift: shiftOf(Number(siteName.split('-')[1])), weight: patches })),
  );
}
