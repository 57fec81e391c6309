import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { assignmentSchema, campaignPlanSchema, parseWith, roundPlanSchema, scorePlanSchema } from '@consilium/shared/wire';
import { parse, YAMLParseError } from 'yaml';
import { type Demand, demandOfCampaign, demandOfRound, demandOfScore } from './policy-demand.js';

/** A plan in a file, as far as a policy is held against it. */
export interface PlanToJudge {
  readonly what: 'campaign' | 'round' | 'score';
  readonly demand: Demand;
}

/**
 * Reads a campaign file as a coordinator takes it (YAML or JSON), a round plan, a score plan, or an assignment that holds one of them.
 * CAMPAIGN_INVALID names the line or the field that is wrong.
 */
export function readPlanToJudge(path: string): PlanToJudge {
  const value = readYaml(path);
  const fields = new Set(typeof value === 'object' && value !== null ? Object.keys(value) : []);
  if (fields.has('kind') && fields.has('plan')) {
    const assignment = parseWith(assignmentSchema, value, 'CAMPAIGN_INVALID', path);
    if (assignment.kind === 'score') return { what: 'score', demand: demandOfScore(assignment.plan) };
    return { what: 'round', demand: demandOfRound(assignment.plan) };
  }
  if (fields.has('roundId'))
    return { what: 'round', demand: demandOfRound(parseWith(roundPlanSchema, value, 'CAMPAIGN_INVALID', path)) };
  if (fields.has('version') && fields.has('campaignId'))
    return { what: 'score', demand: demandOfScore(parseWith(scorePlanSchema, value, 'CAMPAIGN_INVALID', path)) };
  return { what: 'campaign', demand: demandOfCampaign(parseWith(campaignPlanSchema, value, 'CAMPAIGN_INVALID', path)) };
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const isYaml = cause instanceof YAMLParseError;
    const where = isYaml ? `is not valid YAML: ${cause.message.split('\n')[0] ?? ''}` : 'cannot be read';
    throw new FederationError('CAMPAIGN_INVALID', `${path} ${where}`, {
      cause,
      remedy: isYaml ? 'Correct the named line.' : 'Check the path; a plan is YAML or JSON.',
    });
  }
}
