import { parseDurationMs } from '@consilium/shared/kernel';
import { durationField, type RetentionRulesView } from '@consilium/shared/wire';
import { z } from 'zod';

const ALL = 'all';
const timeField = z.union([z.literal(ALL), durationField]);

/** How long bytes of weights are kept; a part of the coordinator's settings. */
export const retentionSettingFields = {
  retainUpdates: timeField.default('90d').describe('how long after its round an update that was folded is kept; or all'),
  retainUpdateRounds: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .default(1)
    .describe('newest finished rounds of a campaign whose updates are kept whatever their age'),
  retainHeldBack: timeField.default('365d').describe('how long after its round an update that was held back is kept; or all'),
  retainVersions: z
    .union([z.literal(ALL), z.coerce.number().int().min(1).max(1_000_000)])
    .default(ALL)
    .describe('newest versions of a campaign whose weights are kept; or all'),
  retainVersionEvery: z.coerce
    .number()
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe('keep the version of each so many-th round besides; 0 for none'),
};

type RetentionSettingValues = z.infer<z.ZodObject<typeof retentionSettingFields>>;

/** The rules of retention, compiled; Infinity stands for all. */
export interface RetentionRules {
  readonly updatesMs: number;
  readonly updateRounds: number;
  readonly heldBackMs: number;
  readonly versions: number;
  /** 0 for none. */
  readonly versionEvery: number;
  /** As they were written. */
  readonly written: RetentionRulesView;
}

export function compileRetentionSettings(settings: RetentionSettingValues): RetentionRules {
  const timeMs = (text: string): number => (text === ALL ? Infinity : parseDurationMs(text));
  const { retainUpdates, retainUpdateRounds, retainHeldBack, retainVersions, retainVersionEvery } = settings;
  return {
    updatesMs: timeMs(retainUpdates),
    updateRounds: retainUpdateRounds,
    heldBackMs: timeMs(retainHeldBack),
    versions: retainVersions === ALL ? Infinity : retainVersions,
    versionEvery: retainVersionEvery,
    written: {
      updates: retainUpdates,
      updateRounds: retainUpdateRounds,
      heldBack: retainHeldBack,
      versions: retainVersions,
      versionEvery: retainVersionEvery,
    },
  };
}
