import type { TensorEntry } from '@consilium/shared/weights';
import type { Assignment, OfferAnswer } from '@consilium/shared/wire';
import type { EntityManager } from 'typeorm';
import type { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { CampaignRegister } from '../../../coordinator/src/campaigns/campaign-register.js';
import type { BlobStore } from '../../../coordinator/src/blobs/blob-store.js';
import { Assignments } from '../../../coordinator/src/rounds/assignments.js';
import type { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { RoundLedger } from '../../../coordinator/src/rounds/round-ledger.js';
import { type Parts, RoundParts } from '../../../coordinator/src/rounds/round-parts.js';
import type { Update } from '../../../coordinator/src/updates/update.entity.js';
import { UpdateIntake } from '../../../coordinator/src/updates/update-intake.js';
import { UpdateLedger } from '../../../coordinator/src/updates/update-ledger.js';
import type { Life } from '../world/life.js';
import type { Mutation } from '../world/simulated-coordinator.js';

/** Bugs that somebody might write into the coordinator one day, each a small change of a real part. */

class CountsAnUpdateTwice extends UpdateLedger {
  override async countedIn(records: EntityManager, roundId: string): Promise<Update[]> {
    const found = await super.countedIn(records, roundId);
    return found.length > 2 ? [...found, found[0] as Update] : found;
  }
}

class CountsLateWorkAgain extends UpdateLedger {
  override async waiting(records: EntityManager, roundIds: readonly string[]): Promise<Update[]> {
    return (await this.ofRounds(records, roundIds)).slice(-1);
  }
}

class LetsAnUpdateCountTwiceTowardsTheQuorum extends RoundParts {
  override async of(...call: Parameters<RoundParts['of']>): Promise<Parts> {
    const parts = await super.of(...call);
    return { ...parts, facts: [...parts.facts, ...parts.facts.filter(({ countsSinceMs }) => countsSinceMs !== null)] };
  }
}

class ForgetsRequiredSites extends CampaignRegister {
  override async get(records: EntityManager, idOrName: string): Promise<Campaign> {
    const campaign = await super.get(records, idOrName);
    return Object.assign(campaign, { plan: { ...campaign.plan, requiredSites: undefined } });
  }
}

class WaitsForEverybody extends CampaignRegister {
  override async get(records: EntityManager, idOrName: string): Promise<Campaign> {
    const campaign = await super.get(records, idOrName);
    return Object.assign(campaign, { plan: { ...campaign.plan, grace: '5h' } });
  }
}

class HandsOutAStaleBase extends Assignments {
  private readonly first = new Map<string, Extract<Assignment, { kind: 'train' }>['plan']['base']>();

  override async current(...call: Parameters<Assignments['current']>): Promise<Assignment | null> {
    const assignment = await super.current(...call);
    if (assignment?.kind !== 'train') return assignment;
    const { plan } = assignment;
    const base = this.first.get(plan.campaignId) ?? plan.base;
    this.first.set(plan.campaignId, base);
    return { ...assignment, plan: { ...plan, base } };
  }
}

class AcknowledgesTooSoon extends UpdateIntake {
  override async offer(...call: Parameters<UpdateIntake['offer']>): Promise<OfferAnswer> {
    void super.offer(...call).catch(() => undefined);
    return { outcome: 'accepted' };
  }
}

class LeavesPartsOpen extends RoundLedger {
  override async closeOpen(): Promise<[]> {
    return [];
  }
}

class ListensToOvertakenMessages extends RoundLedger {
  override async participation(...call: Parameters<RoundLedger['participation']>): Promise<Participation | null> {
    const found = await super.participation(...call);
    return found === null || found.state === 'delivered' ? found : Object.assign(found, { state: 'invited' });
  }
}

/** Says that the bytes are on disk while they are still in a buffer. */
function writesBehind(real: BlobStore, life: Life): BlobStore {
  const buffered: BlobStore['adopt'] = async (path, digest) => {
    life.clock.after(500, () => void real.adopt(path, digest).catch(() => undefined));
  };
  return {
    adopt: buffered,
    place: buffered,
    remove: (digest) => real.remove(digest),
    write: (parts, algorithm) => real.write(parts, algorithm),
    has: (digest) => real.has(digest),
    localPath: (digest) => real.localPath(digest),
  };
}

function asFederated(tensor: TensorEntry): TensorEntry {
  return { ...tensor, scope: 'federated' };
}

export interface Mutant {
  readonly mutation: Mutation;
  /** Promises that it breaks; one of them must be found broken. */
  readonly breaks: RegExp;
}

export const MUTANTS: Readonly<Record<string, Mutant>> = {
  'counts an update twice': {
    mutation: { classes: [[UpdateLedger, CountsAnUpdateTwice]] },
    breaks: /counted twice|in site order/,
  },
  'counts the work of an earlier round again': {
    mutation: { classes: [[UpdateLedger, CountsLateWorkAgain]] },
    breaks: /counted twice|never changed again|in site order/,
  },
  'folds updates in whatever order their files come': {
    mutation: { fold: (job) => ({ ...job, updates: [...job.updates].sort((a, b) => (a.path < b.path ? -1 : 1)) }) },
    breaks: /in site order/,
  },
  'gives every site the same weight': {
    mutation: { fold: (job) => ({ ...job, updates: job.updates.map((update) => ({ ...update, patches: 1 })) }) },
    breaks: /in site order/,
  },
  'leaves the last update out of a fold': {
    mutation: { fold: (job) => ({ ...job, updates: job.updates.slice(0, Math.max(1, job.updates.length - 1)) }) },
    breaks: /in site order/,
  },
  'lets the representation move in adversary rounds': {
    mutation: { fold: (job) => ({ ...job, manifest: { tensors: job.manifest.tensors.map(asFederated) } }) },
    breaks: /move in turn/,
  },
  'folds gradients by the recipe of the representation': {
    mutation: { fold: (job) => ({ ...job, recipe: { name: 'fedavg' } }) },
    breaks: /move in turn/,
  },
  'forgets what a part has carried while the other one moved': {
    mutation: { fold: (job) => ({ ...job, statePath: null }) },
    breaks: /move in turn/,
  },
  'advances without the bytes on disk': { mutation: { blobs: writesBehind }, breaks: /bytes that it names are on disk/ },
  'lets an update count twice towards the quorum': {
    mutation: { classes: [[RoundParts, LetsAnUpdateCountTwiceTowardsTheQuorum]] },
    breaks: /its quorum and its required sites/,
  },
  'forgets the required sites': {
    mutation: { classes: [[CampaignRegister, ForgetsRequiredSites]] },
    breaks: /its quorum and its required sites/,
  },
  'waits for everybody': { mutation: { classes: [[CampaignRegister, WaitsForEverybody]] }, breaks: /stalls no round/ },
  'hands out a stale base': { mutation: { classes: [[Assignments, HandsOutAStaleBase]] }, breaks: /newest when its round/ },
  'says "accepted" before the update is in the records': {
    mutation: { classes: [[UpdateIntake, AcknowledgesTooSoon]] },
    breaks: /was told is accepted/,
  },
  'leaves parts open when a round closes': {
    mutation: { classes: [[RoundLedger, LeavesPartsOpen]] },
    breaks: /is still open|counted twice/,
  },
  'listens to overtaken messages': {
    mutation: { classes: [[RoundLedger, ListensToOvertakenMessages]] },
    breaks: /never changed again/,
  },
};
