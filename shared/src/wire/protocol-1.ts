import { algorithmOf } from '@consilium/shared/kernel';
import type { ProbeScore, ScoreReport, ToldReport, UpdateOffer } from './reports.js';
import type { RoundPlan, ScorePlan } from './round-plan.js';

/**
 * What protocol 1 can be told. Its peers refuse a message that has one field more than they know, and know SHA-256 only.
 */

/** The oldest protocol in which this plan can be handed to a site. */
export function protocolOfPlan(plan: RoundPlan | ScorePlan): 1 | 2 {
  const version = 'base' in plan ? plan.base : plan.version;
  if (algorithmOf(version.digest) !== 'sha256') return 2;
  if (plan.model.architecture === 'medicalnet-resnet') return 2; // its heads that answer for every voxel came with 2
  if (plan.objective.kind !== 'models-genesis') return 2;
  const { siteLocal, baseDelta, objective } = plan;
  const trained = 'training' in plan ? [plan.localRule, plan.updates, plan.privacy, plan.training.minutes, plan.cohortSites] : [];
  const distorted = [objective.curriculum, objective.transforms.invertedShare, objective.transforms.byModality];
  return [siteLocal, baseDelta, ...trained, ...distorted].every((field) => field === undefined) ? 1 : 2;
}

/** The offer as a coordinator of protocol 1 takes it. */
export function offerInProtocol1({ participationId, uploadId, digest, baseDigest, report }: UpdateOffer): UpdateOffer {
  return { participationId, uploadId, digest, baseDigest, report: reportInProtocol1(report) };
}

function reportInProtocol1(report: ToldReport): ToldReport {
  const { steps, patches, meanLoss, lastLoss, trainingMs, waitedMs, volumes, baseScore } = report;
  const known = { steps, patches, meanLoss, lastLoss, trainingMs, waitedMs, volumes };
  return baseScore === undefined ? known : { ...known, baseScore: scoreInProtocol1(baseScore) };
}

/** The report of a score as a coordinator of protocol 1 takes it. */
export function scoreReportInProtocol1({ campaignId, versionDigest, score }: ScoreReport): ScoreReport {
  return { campaignId, versionDigest, score: scoreInProtocol1(score) };
}

function scoreInProtocol1({ restorationError, constantError, skill, patches }: ProbeScore): ProbeScore {
  return { restorationError, constantError, skill, patches };
}
