import { isAbsolute } from 'node:path';
import { FederationError, parseSizeBytes } from '@consilium/shared/kernel';
import { parseWith, positiveInteger, sizeField } from '@consilium/shared/wire';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { hoursField, uploadLimitField } from '../config/agent-config.js';

/** Kinds of objectives that a plan may have. */
const OBJECTIVES = ['models-genesis', 'universal-model'] as const;

/** Figures that a site may keep to itself; steps and patches weight the average and always leave. */
export const METRICS = {
  loss: 'mean and last loss of a round, and the loss in progress reports',
  figures: 'accuracies and errors of the steps, in progress reports',
  time: 'how long training took, and how long it waited for patches',
  volumes: 'the number of volumes in the collection',
  score: 'how well a model version does on this site’s probe',
  groups: 'the parts of that score by modality and by what was done to the voxels',
  monitors: 'what the heads and features of a Universal Model say of this site’s probe',
  norms: 'the length of the update, and what its number format took from it',
} as const;
export type Metric = keyof typeof METRICS;
const METRIC_NAMES = Object.keys(METRICS) as [Metric, ...Metric[]];

const campaignPattern = z
  .string()
  .regex(/^[A-Za-z0-9._*-]{1,64}$/, 'expected the name of a campaign, or a pattern with * for any characters');

const absolutePath = z.string().refine(isAbsolute, 'expected an absolute path, such as /data/chest');

/** What a site may write into its policy. Each rule narrows what plans may ask; a rule that is left out allows everything. */
export const sitePolicySchema = z.strictObject({
  campaigns: z
    .strictObject({
      allow: z.array(campaignPattern).min(1).optional().describe('campaigns that may ask this site; all when left out'),
      deny: z.array(campaignPattern).min(1).optional().describe('campaigns that may not, even if they are allowed above'),
    })
    .optional()
    .describe('which campaigns this site takes part in, by name; * stands for any characters'),
  objectives: z.array(z.enum(OBJECTIVES)).min(1).optional().describe('what a campaign may train for'),
  folders: z
    .array(
      z.strictObject({
        paths: z.array(absolutePath).min(1).describe('indexed folders; a volume counts when all its files lie in them'),
        campaigns: z.array(campaignPattern).min(1).optional().describe('who may train on them; every campaign when left out'),
      }),
    )
    .min(1)
    .optional()
    .describe('on which folders of scans which campaign may train; all indexed scans when left out'),
  minimumCohort: positiveInteger.optional().describe('the fewest sites, this one among them, that must be invited to a round'),
  mostSteps: positiveInteger.optional().describe('the most optimizer steps that a round may ask for'),
  mostMinutes: z
    .number()
    .positive()
    .optional()
    .describe('the longest time limit that a round may set; a round that sets none is refused'),
  largestUpdate: sizeField.optional().describe('the largest file that a round may take from this site, such as 200MB'),
  metrics: z
    .array(z.enum(METRIC_NAMES))
    .optional()
    .describe('the figures that may leave beside the update; the others are left out. All when this is left out'),
  hours: hoursField.optional().describe('when this site trains; with hours in site.yaml, when both allow it'),
  uploadLimit: uploadLimitField
    .optional()
    .describe('the most that uploads may take of the link in a second; the smaller of this and site.yaml’s'),
  threads: positiveInteger
    .max(1024)
    .optional()
    .describe('the most processor threads for training; the smaller of this and site.yaml’s'),
  devices: z
    .array(z.string().regex(/^(cpu|gpu(:\d{1,3})?)$/, 'use cpu, gpu for any card, or gpu:0 for one of them'))
    .min(1)
    .optional()
    .describe('what training may compute on'),
});
export type SitePolicy = z.infer<typeof sitePolicySchema>;
export type PolicyRule = keyof SitePolicy;
export const POLICY_RULES = Object.keys(sitePolicySchema.shape) as PolicyRule[];

/** Reads a policy file's text; CONFIG_INVALID names the line or the field that is wrong. An empty file has no rule. */
export function parsePolicy(text: string): SitePolicy {
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (cause) {
    const where = cause instanceof YAMLParseError ? (cause.message.split('\n')[0] ?? '') : '';
    throw new FederationError('CONFIG_INVALID', `the policy is not valid YAML: ${where}`, {
      cause,
      remedy: 'Correct the named line; "site-agent policy --example" prints one to begin with.',
    });
  }
  return parseWith(sitePolicySchema, value, 'CONFIG_INVALID', 'the policy');
}

/** The rules that a policy has. */
export function rulesOf(policy: SitePolicy): PolicyRule[] {
  return POLICY_RULES.filter((rule) => policy[rule] !== undefined);
}

/** True for names that one of the patterns fits; * stands for any characters. */
export function fitsCampaign(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`).test(name);
  });
}

/** The folders that a campaign may train on, in the order of the policy; undefined when it may train on all. */
export function foldersFor({ folders }: SitePolicy, campaignName: string): string[] | undefined {
  if (folders === undefined) return undefined;
  return folders.flatMap(({ paths, campaigns }) =>
    campaigns === undefined || fitsCampaign(campaigns, campaignName) ? paths : [],
  );
}

/** Bytes of a size in the policy. */
export function bytesOf(size: string | undefined): number | undefined {
  return size === undefined ? undefined : parseSizeBytes(size);
}

/** True when the figure may leave. */
export function mayLeave({ metrics }: SitePolicy, metric: Metric): boolean {
  return metrics?.includes(metric) ?? true;
}
