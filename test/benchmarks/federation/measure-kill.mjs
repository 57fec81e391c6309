/** kill -9 at a chosen moment of the middle round, the same command again, and the result beside a run without. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lightSiteName } from '../../../deploy/dist/simulate/enrol-light-site.js';
import { modelOfSize } from '../../../deploy/dist/simulate/model-of-size.js';
import { watchEvents } from '../../../deploy/dist/simulate/watch-events.js';
import { median, round } from '../statistics.mjs';
import { compareWithReference } from './reference.mjs';
import { UploadWatch } from './upload-watch.mjs';
import { withRig } from './rig.mjs';
import { campaignPlan, roundTimes, startSites, untilEnded } from './run-campaign.mjs';

/** The agent that is killed. */
const VICTIM = 0;
/** How far a transfer or a file has come when its writer is killed, as a share of its bytes. */
const MIDDLE = 0.4;
/** More than all that an agent says before its upload goes on. */
const CHUNK_BYTES = 1 << 16;
const POLL_MS = 2;
const LIMIT_MS = 240_000;

export async function measureKill(options) {
  const { spec, parameters } = modelOfSize(options.parameters);
  const run = (disturb) => withRig(options, (rig) => runOnce(rig, options, { spec, parameters, disturb }));
  const calm = await run(undefined);
  const { who, at } = options.kill;
  const disturbed = await run(new Disturbance(options, parameters));
  return {
    sites: options.sites,
    parameters,
    model: spec,
    rounds: options.rounds,
    kill: who,
    at,
    recoverySeconds: disturbed.recovery.recoverySeconds,
    resentBytes: disturbed.recovery.uploads.resentBytes,
    sentTwiceBytes: Math.max(0, disturbed.bytesUp - calm.bytesUp),
    medianRoundSeconds: round(median(calm.seconds)),
    worstRoundSeconds: round(Math.max(...disturbed.seconds)),
    delivered: disturbed.delivered,
    ...disturbed.compared,
    sameDigestAsUndisturbed: disturbed.compared.digest === calm.compared.digest,
  };
}

async function runOnce(rig, options, { spec, disturb }) {
  await rig.startCoordinator();
  await startSites(rig, options, { withRelays: true });
  const endWatch = await watchEvents(rig.coordinator.access(), (event) => disturb?.hear(event));
  try {
    const watching = disturb?.perform(rig);
    watching?.catch(() => undefined); // awaited below
    await rig.startCampaign(campaignPlan(options, spec));
    const view = await Promise.race([
      untilEnded(rig, () => void (disturb?.isUnderWay || rig.requireAgents())),
      rejected(watching),
    ]);
    const participations = view.roundViews.flatMap((each) => each.participations);
    return {
      recovery: await watching,
      bytesUp: rig.relays.reduce((sum, { bytesUp }) => sum + bytesUp, 0),
      seconds: roundTimes(view).seconds,
      delivered: participations.filter(({ state }) => state === 'delivered').length,
      compared: await compareWithReference(rig, view, options),
    };
  } finally {
    disturb?.giveUp();
    endWatch();
  }
}

/** Settles only when the promise rejects. */
function rejected(promise) {
  return new Promise((_, reject) => promise?.catch(reject));
}

/** Waits for its moment, kills, starts again and watches until the federation moves on. Everything is observed from outside. */
class Disturbance {
  isUnderWay = false;
  isOver = false;
  events = [];

  constructor({ kill, rounds, sites }, parameters) {
    this.who = kill.who;
    this.at = kill.at;
    this.round = Math.ceil(rounds / 2);
    this.sites = sites;
    this.bytes = 4 * parameters;
  }

  hear(event) {
    this.events.push(event);
  }

  /** The run is over: there is nothing more to wait for. */
  giveUp() {
    this.isOver = true;
  }

  async perform(rig) {
    this.rig = rig;
    await this.until('the moment to kill', () => this.isMoment());
    this.isUnderWay = true;
    const name = lightSiteName(VICTIM);
    if (this.who === 'coordinator') await rig.coordinator.stop('SIGKILL');
    else await rig.killAgent(name);
    const uploads = new UploadWatch(join(rig.coordinatorHome, 'uploads'), rig.relays);
    const since = { atMs: Date.now(), up: this.bytesUp() };
    const startedAt = performance.now();
    if (this.who === 'coordinator') rig.coordinator.spawn();
    else rig.spawnAgent(name);
    await this.until('the federation to move on', () => this.hasMovedOn(since, uploads));
    const recoverySeconds = round((performance.now() - startedAt) / 1000);
    this.isUnderWay = false;
    return { recoverySeconds, uploads };
  }

  isMoment() {
    if (!this.heard({ kind: 'round', state: 'planned' })) return false;
    this.upAtStart ??= this.bytesUp();
    return this.who === 'coordinator' ? this.isMomentOfCoordinator() : this.isMomentOfAgent();
  }

  isMomentOfCoordinator() {
    const isFolding = this.heard({ kind: 'round', state: 'aggregating' });
    switch (this.at) {
      case 'invitation':
        return this.heard({ kind: 'round', state: 'inviting' });
      case 'upload':
        return this.bytesUp() - this.upAtStart > MIDDLE * this.sites * this.bytes;
      case 'fold':
        return isFolding;
      case 'write':
        return isFolding && partialBytes(join(this.rig.coordinatorHome, 'blobs')) > MIDDLE * this.bytes;
    }
  }

  isMomentOfAgent() {
    switch (this.at) {
      case 'invitation':
        return this.heard({ kind: 'participation', state: 'accepted', siteName: lightSiteName(VICTIM) });
      case 'upload':
        return this.bytesUp() - this.upAtStart > MIDDLE * this.bytes;
      case 'fold':
        return this.heard({ kind: 'round', state: 'aggregating' });
      case 'write':
        return partialBytes(join(this.rig.homeOf(VICTIM), 'rounds')) > MIDDLE * this.bytes;
    }
  }

  /** A chunk that was accepted, or a fact that the coordinator told: of anybody, or of the agent that was killed. */
  hasMovedOn({ atMs, up }, uploads) {
    const news = this.events.filter((event) => event.atMs > atMs);
    if (this.who === 'coordinator') return uploads.hasGrown() || news.some(({ kind }) => kind !== 'campaign');
    const sent = this.bytesUp() - up;
    return sent > CHUNK_BYTES || (sent > 0 && news.some(({ siteName }) => siteName === lightSiteName(VICTIM)));
  }

  heard(wanted) {
    return this.events.some(
      (event) => event.roundNumber === this.round && Object.entries(wanted).every(([key, value]) => event[key] === value),
    );
  }

  /** The victim's where an agent is killed, everybody's otherwise. */
  bytesUp() {
    const relays = this.who === 'agent' ? [this.rig.relays[VICTIM]] : this.rig.relays;
    return relays.reduce((sum, relay) => sum + relay.bytesUp, 0);
  }

  async until(what, isTrue) {
    for (const deadlineMs = Date.now() + LIMIT_MS; !isTrue(); await sleep(POLL_MS)) {
      if (!this.isOver && Date.now() < deadlineMs) continue;
      throw new Error(`never saw ${what} (${this.who} at ${this.at}): a larger model may give more time`);
    }
  }
}

/** Bytes of files that are being written below a folder. */
function partialBytes(folder) {
  try {
    return readdirSync(folder, { recursive: true })
      .filter((name) => name.endsWith('.partial'))
      .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  } catch {
    return 0; // gone in between
  }
}
