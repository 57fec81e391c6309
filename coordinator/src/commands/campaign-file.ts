import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { type CampaignPlan, campaignPlanSchema, parseWith } from '@consilium/shared/wire';
import { parse as parseYaml, YAMLParseError } from 'yaml';

/** Reads a YAML or JSON campaign file. CAMPAIGN_INVALID names the line or the field that is wrong. */
export function readCampaignFile(path: string): CampaignPlan {
  return parseWith(campaignPlanSchema, parseFile(path), 'CAMPAIGN_INVALID', path);
}

function parseFile(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof YAMLParseError) {
      const [where] = cause.message.split('\n');
      throw new FederationError('CAMPAIGN_INVALID', `${path} is not valid YAML: ${where ?? ''}`, {
        cause,
        remedy: 'Correct the named line.',
      });
    }
    throw new FederationError('CAMPAIGN_INVALID', `the campaign file ${path} cannot be read`, {
      cause,
      remedy: 'Check the path; a campaign file is YAML or JSON.',
    });
  }
}
