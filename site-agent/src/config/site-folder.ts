import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digitsOf, FederationError } from '@consilium/shared/kernel';

/** Where a site agent keeps everything it owns, below one folder (`--home`). Nothing of a site lies outside it but the scans. */
export interface SiteFolder {
  readonly home: string;
  /** Optional settings, written by a human. */
  readonly settingsFile: string;
  /** Who this site is to its coordinator: readable by the owner only. */
  readonly identityFile: string;
  /** The key that the site signs its requests with, made by `join`; readable by the owner only, never leaves the site. */
  readonly keyFile: string;
  /** A key that is about to become the site's. */
  readonly nextKeyFile: string;
  /** Names of the keys that the coordinator has signed passports with, as it told this site. */
  readonly coordinatorKeysFile: string;
  /** Index of scans and the agent's journal (SQLite). */
  readonly databaseFile: string;
  /** 32 random bytes that patient and study ids are hashed with: readable by the owner only, never leaves the site. */
  readonly saltFile: string;
  /** 32 random bytes that noise on updates is made of: readable by the owner only, never leaves the site. */
  readonly noiseSecretFile: string;
  /** Held while an agent runs, so that a second one refuses to start. */
  readonly lockFile: string;
  /** Process id and loopback port of the running agent, for `site-agent status`. */
  readonly statusFile: string;
  /** Normalised volumes, by digest and fingerprint; may be deleted at any time. */
  readonly preparedFolder: string;
  /** Scans fetched from an archive (PACS), with all that their headers say: readable by the owner only. */
  readonly pulledFolder: string;
  /** Model versions fetched from the coordinator, by digest. */
  readonly modelsFolder: string;
  /** One folder per participation: checkpoint and update. */
  readonly roundsFolder: string;
  /** The site's own rules, written by a human; all is allowed without. The setting `policy` may name another file. */
  readonly policyFile: string;
  /** Who did what here (JSON lines); readable by the owner only. */
  readonly auditFile: string;
  /** One file per participation: what an update held that left, or was to leave. */
  readonly egressFolder: string;
  /** One folder per campaign: what the site keeps for itself from round to round. */
  readonly campaignsFolder: string;
}

export function siteFolder(home: string): SiteFolder {
  return {
    home,
    settingsFile: join(home, 'site.yaml'),
    identityFile: join(home, 'identity.json'),
    keyFile: join(home, 'site.key'),
    nextKeyFile: join(home, 'site.key.next'),
    coordinatorKeysFile: join(home, 'coordinator-keys.json'),
    databaseFile: join(home, 'site.sqlite'),
    saltFile: join(home, 'salt'),
    noiseSecretFile: join(home, 'noise.secret'),
    lockFile: join(home, 'agent.lock'),
    statusFile: join(home, 'agent.json'),
    preparedFolder: join(home, 'prepared'),
    pulledFolder: join(home, 'pulled'),
    modelsFolder: join(home, 'models'),
    roundsFolder: join(home, 'rounds'),
    policyFile: join(home, 'policy.yaml'),
    auditFile: join(home, 'audit.jsonl'),
    egressFolder: join(home, 'egress'),
    campaignsFolder: join(home, 'campaigns'),
  };
}

/** The file of a model version within the models folder. */
export function modelFile(folder: SiteFolder, digest: Digest): string {
  return join(folder.modelsFolder, `${digitsOf(digest)}.safetensors`);
}

/** What the site keeps of a campaign between its rounds; MESSAGE_REFUSED when the identifier could name anything else. */
export function campaignStateFile(folder: SiteFolder, campaignId: string): string {
  return join(folder.campaignsFolder, requirePlainIdentifier(campaignId, 'campaign'), 'state.safetensors');
}

/** The identifier, which names a folder; MESSAGE_REFUSED when it could name anything else. */
export function requirePlainIdentifier(id: string, what: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/.test(id)) return id;
  throw new FederationError('MESSAGE_REFUSED', `the ${what} identifier is not a plain identifier`);
}

/** Throws FOLDER_MISSING unless the site's folder exists, so that a mistyped --home makes no empty site. */
export function requireHome({ home }: SiteFolder): void {
  if (existsSync(home)) return;
  throw new FederationError('FOLDER_MISSING', `there is no site folder at ${home}`, {
    remedy: 'Name the folder with --home, or make one with "site-agent join" or "site-agent index".',
  });
}
