import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { durationField, parseWith } from '@consilium/shared/wire';
import { FederationError, parseDurationMs } from '@consilium/shared/kernel';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { LogSettings } from '../log.js';
import { type BlobSettings, blobSettingFields, compileBlobSettings } from './blob-settings.js';
import { compileLimitSettings, type LimitSettings, limitSettingFields } from './limit-settings.js';
import { compileLogSettings, logSettingFields } from './log-settings.js';
import { compileRetentionSettings, type RetentionRules, retentionSettingFields } from './retention-settings.js';
import { compileTraceSettings, sharedEndpoint, traceSettingFields, type TraceSettings } from './trace-settings.js';
import { isPostgresUrl, withoutPassword } from '../records/postgres.js';

const settingsSchema = z.strictObject({
  home: z.string().min(1).default('coordinator-home'),
  host: z.string().min(1).default('127.0.0.1'),
  port: z.coerce.number().int().min(0).max(65_535).default(7340),
  database: z
    .string()
    .refine(isPostgresUrl, 'it must look like postgres://user@host:5432/name')
    .optional()
    .describe('PostgreSQL database in place of a file in the home folder'),
  ...blobSettingFields,
  ...retentionSettingFields,
  ...traceSettingFields,
  tlsCertificate: z.string().min(1).optional().describe('PEM file with the certificate and its chain: TLS without a proxy'),
  tlsKey: z.string().min(1).optional().describe('PEM file with its key'),
  authority: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority of its certificate, where this machine does not know it: commands trust it'),
  plainHttp: z
    .union([z.boolean(), z.stringbool()])
    .default(false)
    .describe('listen without TLS where others can reach it: only behind a proxy that ends TLS'),
  publicUrl: z.url().optional().describe('address that sites use, when it differs from host and port'),
  ...logSettingFields,
  tokenLifetime: durationField.default('24h').describe('how long an enrolment token is valid'),
  signInLifetime: durationField.default('12h').describe('how long an operator stays signed in'),
  credentialLifetime: durationField
    .default('1h')
    .describe("how long a site's credential is good; its agent has it renewed at half of that"),
  bearerCredentials: z
    .union([z.boolean(), z.stringbool()])
    .default(true)
    .describe('let sites in that sign nothing: those that were enrolled by earlier agents'),
  uploadLifetime: durationField.default('24h').describe('when an upload that was never offered is removed'),
  uploadsAtOnce: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .default(16)
    .describe('uploads that are received at a time; others wait'),
  uploadStall: durationField
    .default('60s')
    .describe('an upload that sends less than 1 KiB a second for so long is cut; what has arrived stays'),
  ...limitSettingFields,
  scoringLimit: durationField.default('5min').describe("how long the final version waits for the sites' scores"),
  scoringPresence: durationField.default('15s').describe('how long scoring waits for sites that are not connected'),
  tickInterval: durationField.default('500ms').describe('how often rounds are compared with the clock'),
  heartbeatInterval: durationField.default('5s').describe('how often a connection is probed'),
  heartbeatTimeout: durationField.default('10s').describe('silence after which a connection counts as dead'),
});

type Settings = z.infer<typeof settingsSchema>;
type SettingName = keyof Settings;
export type SettingOrigin = 'default' | 'file' | 'environment' | 'flag';

export interface CertificateFiles {
  /** PEM: the certificate, and the chain that leads to the authority. */
  readonly certificate: string;
  readonly key: string;
}

/** Everything the coordinator can be told, compiled: absolute folder, durations in milliseconds. Frozen. */
export interface CoordinatorConfig {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  /** Undefined for a SQLite file in the home folder. */
  readonly database: string | undefined;
  readonly blobs: BlobSettings;
  readonly retention: RetentionRules;
  readonly traces: TraceSettings;
  /** Undefined for plain HTTP. */
  readonly tls: CertificateFiles | undefined;
  /** Undefined where the machine knows the authority of the certificate. */
  readonly authority: string | undefined;
  readonly plainHttp: boolean;
  readonly publicUrl: string | undefined;
  readonly log: LogSettings;
  readonly tokenLifetimeMs: number;
  readonly signInLifetimeMs: number;
  readonly credentialLifetimeMs: number;
  readonly bearerCredentials: boolean;
  readonly uploadLifetimeMs: number;
  readonly uploadsAtOnce: number;
  readonly uploadStallMs: number;
  readonly limits: LimitSettings;
  readonly scoringLimitMs: number;
  readonly scoringPresenceMs: number;
  readonly tickIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  readonly heartbeatTimeoutMs: number;
}

export interface ExplainedSetting {
  readonly name: string;
  readonly value: string;
  readonly origin: SettingOrigin;
}

export interface ConfigSources {
  /** Command-line flags; undefined members do not count. */
  readonly flags?: Readonly<Partial<Record<SettingName, string | number | undefined>>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** The file that a coordinator's folder may hold. */
export const CONFIG_FILE = 'coordinator.yaml';

/** Defaults < coordinator.yaml in the home folder < environment (CONSILIUM_COORDINATOR_…) < flags. Throws CONFIG_INVALID. */
export function loadCoordinatorConfig(sources: ConfigSources = {}): { config: CoordinatorConfig; explained: ExplainedSetting[] } {
  const flags = withoutUndefined(sources.flags ?? {});
  const environment = fromEnvironment(sources.environment ?? process.env);
  const home = resolve(sources.flags?.home?.toString() ?? textOf(environment['home']) ?? settingsSchema.parse({}).home);
  const file = readConfigFile(join(home, CONFIG_FILE));
  const settings = parseWith(settingsSchema, { ...file, ...environment, ...flags, home }, 'CONFIG_INVALID', 'the configuration');
  const originOf = (name: string): SettingOrigin =>
    name in flags ? 'flag' : name in environment ? 'environment' : name in file ? 'file' : 'default';
  const explained = Object.keys(settingsSchema.shape).map((name) => ({
    name,
    value: shownValue(settings, name as SettingName),
    origin: originOf(name),
  }));
  return { config: compile(settings), explained };
}

/** Paths are relative to the home folder. */
function certificateOf({ home, tlsCertificate, tlsKey }: Settings): CertificateFiles | undefined {
  if (tlsCertificate === undefined && tlsKey === undefined) return undefined;
  if (tlsCertificate !== undefined && tlsKey !== undefined) {
    return { certificate: resolve(home, tlsCertificate), key: resolve(home, tlsKey) };
  }
  const [given, missing] = tlsKey === undefined ? ['tlsCertificate', 'tlsKey'] : ['tlsKey', 'tlsCertificate'];
  throw new FederationError('CONFIG_INVALID', `${given} is of no use without ${missing}`, { remedy: `Name ${missing} as well.` });
}

function shownValue(settings: Settings, name: SettingName): string {
  const value = settings[name];
  if (typeof value === 'object') return textOfParts(value);
  const text = String(value ?? '');
  return name === 'database' && text !== '' ? withoutPassword(text) : text;
}

/** As a variable would have it. */
function textOfParts(value: object): string {
  if (Array.isArray(value)) return value.join(',');
  return Object.entries(value)
    .map(([name, part]) => `${name}=${String(part)}`)
    .join(',');
}

/** "tokenLifetime" → "CONSILIUM_COORDINATOR_TOKEN_LIFETIME". */
export function environmentName(setting: string): string {
  return `CONSILIUM_COORDINATOR_${setting.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function compile(settings: Settings): CoordinatorConfig {
  return Object.freeze({
    home: settings.home,
    host: settings.host,
    port: settings.port,
    database: settings.database,
    blobs: Object.freeze(compileBlobSettings(settings)),
    retention: Object.freeze(compileRetentionSettings(settings)),
    traces: Object.freeze(compileTraceSettings(settings)),
    tls: certificateOf(settings),
    authority: settings.authority && resolve(settings.home, settings.authority),
    plainHttp: settings.plainHttp,
    publicUrl: settings.publicUrl,
    log: Object.freeze(compileLogSettings(settings)),
    tokenLifetimeMs: parseDurationMs(settings.tokenLifetime),
    signInLifetimeMs: parseDurationMs(settings.signInLifetime),
    credentialLifetimeMs: parseDurationMs(settings.credentialLifetime),
    bearerCredentials: settings.bearerCredentials,
    uploadLifetimeMs: parseDurationMs(settings.uploadLifetime),
    uploadsAtOnce: settings.uploadsAtOnce,
    uploadStallMs: parseDurationMs(settings.uploadStall),
    limits: Object.freeze(compileLimitSettings(settings)),
    scoringLimitMs: parseDurationMs(settings.scoringLimit),
    scoringPresenceMs: parseDurationMs(settings.scoringPresence),
    tickIntervalMs: parseDurationMs(settings.tickInterval),
    heartbeatIntervalMs: parseDurationMs(settings.heartbeatInterval),
    heartbeatTimeoutMs: parseDurationMs(settings.heartbeatTimeout),
  });
}

function fromEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const names = Object.keys(settingsSchema.shape);
  const own = withoutUndefined(Object.fromEntries(names.map((name) => [name, environment[environmentName(name)]])));
  return { ...withoutUndefined(sharedEndpoint(environment)), ...own };
}

function readConfigFile(path: string): Record<string, unknown> {
  if (!existsSync(path)) return {};
  try {
    const parsed: unknown = parseYaml(readFileSync(path, 'utf8'));
    if (parsed === null) return {};
    if (typeof parsed === 'object' && !Array.isArray(parsed)) return Object.fromEntries(Object.entries(parsed));
  } catch (cause) {
    throw new FederationError('CONFIG_INVALID', `${path} is not valid YAML`, { cause, remedy: 'Correct the file or remove it.' });
  }
  throw new FederationError('CONFIG_INVALID', `${path} must hold "name: value" lines`, {
    remedy: 'Correct the file or remove it.',
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function withoutUndefined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
