import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { FederationError, parseDurationMs, parseSizeBytes } from '@consilium/shared/kernel';
import { durationField, parseWith, positiveInteger, sizeField } from '@consilium/shared/wire';
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from '@consilium/shared/terminal';
import { proxyFor, withoutSecrets } from './proxy-setting.js';
import { siteFolder, type SiteFolder } from './site-folder.js';
import { type Hours, parseSiteHours } from './site-hours.js';

const LEAST_UPLOAD_LIMIT = 64_000;

/** The most that uploads may take of the link in a second. */
export const uploadLimitField = sizeField.refine(
  (size) => !sizeField.safeParse(size).success || parseSizeBytes(size) >= LEAST_UPLOAD_LIMIT,
  'use 64kB or more: a slower upload counts as broken',
);

/** See {@link parseSiteHours}. */
export const hoursField = z.string().superRefine((text, context) => {
  try {
    parseSiteHours(text);
  } catch (error) {
    const { message, remedy } = FederationError.from(error);
    context.addIssue({ code: 'custom', message: `${message}. ${remedy ?? ''}` });
  }
});

/** What a site may set, in site.yaml, in the environment or as a flag. */
export const agentSettingsSchema = z.strictObject({
  coordinator: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('address of the coordinator; the one that was joined when left out'),
  authority: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the institution’s own certificate authority, trusted beside the usual ones'),
  proxy: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('proxy that leads out of the site’s network; that of HTTPS_PROXY when left out'),
  threads: positiveInteger.max(1024).optional().describe('processor threads for training; all cores when left out'),
  device: z
    .string()
    .regex(/^(auto|(cpu|gpu)(:\d+(,\d+)*)?)$/, 'use auto, cpu, gpu, gpu:0, or gpu:0,1 for two cards at once')
    .default('auto')
    .describe(
      'what training computes on: auto takes one GPU that can be used, else the processor; gpu:0,1 trains on two at once',
    ),
  tf32: z
    .stringbool()
    .or(z.boolean())
    .default(true)
    .describe('faster, less exact 32-bit convolutions on NVIDIA cards since Ampere'),
  memoryLimit: sizeField
    .optional()
    .describe('memory that training may come to, such as 2GiB; what is free on the machine when left out'),
  cacheLimit: sizeField
    .optional()
    .describe('space on disk that prepared volumes may take, such as 200GiB; no limit when left out'),
  uploadLimit: uploadLimitField
    .optional()
    .describe('the most that uploads may take of the link in a second, such as 5MB; no limit when left out'),
  logLevel: z.enum(LOG_LEVELS).default('info').describe('how much the agent prints'),
  logFormat: z.enum(LOG_FORMATS).default('text').describe('json: one object per line, for whoever collects lines'),
  syncEvery: durationField.default('20s').describe('how often the agent asks for work when nobody nudges it'),
  statusPort: z.int().min(0).max(65535).default(0).describe('loopback port of the status page; 0 picks a free one'),
  hours: hoursField
    .optional()
    .describe(
      'when this site trains, by its own clock, such as "Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00"; always when left out',
    ),
  privacyRequired: z
    .enum(['local', 'central', 'any'])
    .optional()
    .describe(
      'the form of update privacy that a campaign must have; campaigns without it are declined. None needed when left out',
    ),
  privacyEpsilon: z
    .number()
    .positive()
    .optional()
    .describe('the most ε that one campaign may come to; rounds beyond it are declined. No limit when left out'),
  privacyTotalEpsilon: z
    .number()
    .positive()
    .optional()
    .describe('the most ε that all campaigns of this site may come to together. No limit when left out'),
  privacyDelta: z.number().min(1e-15).max(0.1).default(1e-5).describe('the δ of both limits'),
  trainerRestarts: z.int().min(0).max(100).default(3).describe('how often a dead trainer is started again in one round'),
  policy: z
    .string()
    .min(1)
    .optional()
    .describe('file with the rules that outrank every plan; policy.yaml in the site’s folder when left out'),
});
export type AgentSettings = z.infer<typeof agentSettingsSchema>;
type SettingName = keyof AgentSettings;

export const ENVIRONMENT_NAMES: Readonly<Record<SettingName, string>> = {
  coordinator: 'CONSILIUM_SITE_COORDINATOR',
  authority: 'CONSILIUM_SITE_AUTHORITY',
  proxy: 'CONSILIUM_SITE_PROXY',
  threads: 'CONSILIUM_SITE_THREADS',
  device: 'CONSILIUM_SITE_DEVICE',
  tf32: 'CONSILIUM_SITE_TF32',
  memoryLimit: 'CONSILIUM_SITE_MEMORY_LIMIT',
  cacheLimit: 'CONSILIUM_SITE_CACHE_LIMIT',
  uploadLimit: 'CONSILIUM_SITE_UPLOAD_LIMIT',
  logLevel: 'CONSILIUM_SITE_LOG_LEVEL',
  logFormat: 'CONSILIUM_SITE_LOG_FORMAT',
  syncEvery: 'CONSILIUM_SITE_SYNC_EVERY',
  statusPort: 'CONSILIUM_SITE_STATUS_PORT',
  hours: 'CONSILIUM_SITE_HOURS',
  privacyRequired: 'CONSILIUM_SITE_PRIVACY_REQUIRED',
  privacyEpsilon: 'CONSILIUM_SITE_PRIVACY_EPSILON',
  privacyTotalEpsilon: 'CONSILIUM_SITE_PRIVACY_TOTAL_EPSILON',
  privacyDelta: 'CONSILIUM_SITE_PRIVACY_DELTA',
  trainerRestarts: 'CONSILIUM_SITE_TRAINER_RESTARTS',
  policy: 'CONSILIUM_SITE_POLICY',
};
const SETTING_NAMES = Object.keys(ENVIRONMENT_NAMES) as SettingName[];

/** The compiled settings: durations in milliseconds, nothing left to parse. */
export interface AgentConfig {
  readonly folder: SiteFolder;
  readonly coordinatorUrl: string | undefined;
  /** Absolute path. */
  readonly authority: string | undefined;
  /** The proxy that leads to an address, with its password if it has one; undefined for the direct way. */
  readonly proxyFor: (url: string) => string | undefined;
  readonly threads: number | undefined;
  /** See engine/devices/device-choice. */
  readonly device: string;
  readonly tf32: boolean;
  readonly memoryLimitBytes: number | undefined;
  readonly cacheLimitBytes: number | undefined;
  readonly uploadBytesPerSecond: number | undefined;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly syncEveryMs: number;
  readonly statusPort: number;
  /** Undefined when the site trains at any time. */
  readonly hours: Hours | undefined;
  /** See agent/judge-privacy. */
  readonly privacy: {
    readonly required: 'local' | 'central' | 'any' | undefined;
    readonly epsilon: number | undefined;
    readonly totalEpsilon: number | undefined;
    readonly delta: number;
  };
  readonly trainerRestarts: number;
  /** The site's policy. */
  readonly policyFile: string;
  /** True when a setting names it: then it must be there. */
  readonly policyIsNamed: boolean;
}

export interface ExplainedSetting {
  readonly name: string;
  readonly value: string;
  /** Where the value comes from: "default", "site.yaml", an environment variable or a flag. */
  readonly origin: string;
  readonly description: string;
}

export interface ConfigSources {
  /** The site's folder; see {@link defaultHome}. */
  readonly home: string;
  /** Values given on the command line; undefined ones do not count. */
  readonly flags?: Partial<Readonly<Record<SettingName, unknown>>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** Defaults < site.yaml < environment < flags, parsed once and frozen; throws CONFIG_INVALID naming the field and its origin. */
export function loadAgentConfig(sources: ConfigSources): AgentConfig {
  const { settings } = gatherSettings(sources);
  const folder = siteFolder(resolve(sources.home));
  return Object.freeze({
    folder,
    coordinatorUrl: settings.coordinator,
    authority: settings.authority === undefined ? undefined : resolve(sources.home, settings.authority),
    proxyFor: (url: string) => proxyFor(url, settings.proxy, sources.environment),
    threads: settings.threads,
    device: settings.device,
    tf32: settings.tf32,
    memoryLimitBytes: settings.memoryLimit === undefined ? undefined : parseSizeBytes(settings.memoryLimit),
    cacheLimitBytes: settings.cacheLimit === undefined ? undefined : parseSizeBytes(settings.cacheLimit),
    uploadBytesPerSecond: settings.uploadLimit === undefined ? undefined : parseSizeBytes(settings.uploadLimit),
    logLevel: settings.logLevel,
    logFormat: settings.logFormat,
    syncEveryMs: parseDurationMs(settings.syncEvery),
    statusPort: settings.statusPort,
    hours: settings.hours === undefined ? undefined : parseSiteHours(settings.hours),
    privacy: {
      required: settings.privacyRequired,
      epsilon: settings.privacyEpsilon,
      totalEpsilon: settings.privacyTotalEpsilon,
      delta: settings.privacyDelta,
    },
    trainerRestarts: settings.trainerRestarts,
    policyFile: settings.policy === undefined ? folder.policyFile : resolve(folder.home, settings.policy),
    policyIsNamed: settings.policy !== undefined,
  });
}

/** Every setting with its value and where that comes from. */
export function explainAgentConfig(sources: ConfigSources): ExplainedSetting[] {
  const { settings, origins } = gatherSettings(sources);
  return SETTING_NAMES.map((name) => ({
    name,
    value: shownValue(settings, name),
    origin: origins.get(name) ?? 'default',
    description: agentSettingsSchema.shape[name].description ?? '',
  }));
}

/** A proxy's password is shown nowhere. */
function shownValue(settings: AgentSettings, name: SettingName): string {
  const value = settings[name];
  if (value === undefined) return '–';
  return name === 'proxy' ? withoutSecrets(String(value)) : String(value);
}

function gatherSettings({ home, flags = {}, environment = process.env }: ConfigSources): {
  settings: AgentSettings;
  origins: ReadonlyMap<string, string>;
} {
  const file = siteFolder(resolve(home)).settingsFile;
  const origins = new Map<string, string>();
  const values: Record<string, unknown> = {};
  const take = (name: string, value: unknown, origin: string): void => {
    if (value === undefined) return;
    values[name] = value;
    origins.set(name, origin);
  };
  for (const [name, value] of Object.entries(readSettingsFile(file))) take(name, value, 'site.yaml');
  for (const name of SETTING_NAMES) take(name, numberOrText(environment[ENVIRONMENT_NAMES[name]]), ENVIRONMENT_NAMES[name]);
  for (const [name, value] of Object.entries(flags)) take(name, numberOrText(value), `--${kebab(name)}`);
  return { settings: parseSettings(values, origins), origins };
}

function parseSettings(values: Record<string, unknown>, origins: ReadonlyMap<string, string>): AgentSettings {
  try {
    return parseWith(agentSettingsSchema, values, 'CONFIG_INVALID', 'the site agent’s configuration');
  } catch (error) {
    const field = error instanceof FederationError ? String(error.details['field'] ?? '') : '';
    const origin = origins.get(field);
    if (!(error instanceof FederationError) || origin === undefined) throw error;
    throw new FederationError(error.code, `${error.message} (from ${origin})`, { details: error.details, remedy: error.remedy });
  }
}

function readSettingsFile(file: string): object {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return {}; // optional
  }
  try {
    const value: unknown = parse(text);
    return value === null || value === undefined ? {} : z.looseObject({}).parse(value);
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', 'site.yaml is not a YAML mapping of settings', {
      cause,
      remedy: `Correct ${file}, for example "threads: 4", or delete it.`,
    });
  }
}

/** The environment and flags bring text only: "4" becomes 4 and "1e-6" 0.000001, an empty text counts as not given. */
function numberOrText(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (value === '') return undefined;
  return /^\d+(\.\d+)?(e-?\d+)?$/.test(value) ? Number(value) : value;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
