import { algorithmOf } from '@consilium/shared/kernel';
import type { UpdateOffer, UpdateReport } from './reports.js';
import type { RoundPlan, ScorePlan } from './round-plan.js';

/**
 * What protocol 1 can be told. Its peers refuse a message that has one field more than they know, and know SHA-256 only.
 */

/** The oldest protocol in which this plan can be handed to a site. */
export function protocolOfPlan(plan: RoundPlan | ScorePlan): 1 | 2 {
  const version = 'base' in plan ? plan.base : plan.version;
  if (algorithmOf(version.digest) !== 'sha256') return 2;
  if (!('training' in plan)) return 1;
  const { localRule, updates, siteLocal, training } = plan;
  return [localRule, updates, siteLocal, training.minutes].every((field) => field === undefined) ? 1 : 2;
}

/** The offer as a coordinator of protocol 1 takes it. */
export function offerInProtocol1({ participationId, uploadId, digest, baseDigest, report }: UpdateOffer): UpdateOffer {
  return { participationId, uploadId, digest, baseDigest, report: reportInProtocol1(report) };
}

function reportInProtocol1(report: UpdateReport): UpdateReport {
  const { steps, patches, meanLoss, lastLoss, trainingMs, waitedMs, volumes, baseScore } = report;
  return { steps, patches, meanLoss, lastLoss, trainingMs, waitedMs, volumes, baseScore };
}
