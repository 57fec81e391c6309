import type { CampaignPlan } from '@consilium/shared/wire';
import type { RetentionRules } from '../../../coordinator/src/config/retention-settings.js';
import type { Cut, LineQuality } from './site-line.js';
import type { Mutation } from './simulated-coordinator.js';
import type { TrainerTemper } from './simulated-trainer.js';

export interface SitePlan {
  readonly name: string;
  readonly temper: TrainerTemper;
  readonly quality: LineQuality;
  readonly cuts: readonly Cut[];
  /** By how much its clock is wrong. */
  readonly skewMs: number;
  /** Its agent starts so long after the world. */
  readonly startsAtMs: number;
  /** Requests that an update or a version takes. */
  readonly chunks: number;
  /** Share of chunks that arrive altered. */
  readonly altered: number;
}

/** A process that dies at its n-th durable write, counted from 1 over all its runs. */
export interface PlannedDeath {
  readonly process: string;
  readonly write: number;
  readonly when: 'dies-before' | 'dies-after';
}

/** What an operator does, so long after the world began. */
export interface OperatorAct {
  readonly atMs: number;
  readonly act:
    | { readonly kind: 'start'; readonly campaign: CampaignPlan }
    | { readonly kind: 'pause' | 'resume' | 'cancel'; readonly campaignName: string }
    /** The site is revoked; its agent ends when it hears of it. */
    | { readonly kind: 'revoke'; readonly siteName: string }
    /** A revoked site joins again under its name, with what its disk still holds. */
    | { readonly kind: 'rejoin'; readonly siteName: string };
}

/** Everything about a world: the same plan gives the same history. */
export interface WorldPlan {
  readonly seed: string;
  readonly sites: readonly SitePlan[];
  readonly acts: readonly OperatorAct[];
  /** How often a campaign that has failed is resumed. */
  readonly resumes: number;
  /** Share of durable writes at which a process dies. */
  readonly deathsAtWrites: number;
  readonly plannedDeaths: readonly PlannedDeath[];
  /** By how much the coordinator's clock is wrong. */
  readonly coordinatorSkewMs: number;
  /** How long a dead process stays dead. */
  readonly deadForMs: readonly [shortest: number, longest: number];
  /** The coordinator's rules of retention; by default it keeps everything. */
  readonly retention?: RetentionRules;
  /** A bug that is planted in the coordinator. */
  readonly mutation?: Mutation;
}

/** The coordinator's name among the processes; agents go by their site's name. */
export const COORDINATOR = 'coordinator';
