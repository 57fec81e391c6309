import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { algorithmOf, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { checkSignature } from '@consilium/shared/identity';
import { type ModelPassport, passportBeside, type SiteCampaign } from '@consilium/shared/wire';
import type { AgentJournal } from '../agent/agent-journal.js';
import { knownCoordinatorKeys } from '../config/coordinator-keys.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';
import { downloadBlob } from '../link/resumable-download.js';
import type { RetryOptions } from '../link/retrying.js';
import type { CoordinatorAccess } from '../link/request-identity.js';
import { fetchCatalogue, fetchPassport } from '../link/site-catalogue.js';
import { writePassport } from './passport-file.js';
import { findVersion, type VersionName } from './version-name.js';

/** A version as the coordinator offers it. */
export interface OfferedVersion {
  readonly campaignId: string;
  readonly campaignName: string;
  readonly campaignState: SiteCampaign['state'];
  readonly number: number;
  readonly digest: SiteCampaign['versions'][number]['digest'];
  readonly bytes: number;
  readonly score: SiteCampaign['versions'][number]['score'];
  /** The coordinator keeps its record, and its weights no longer. */
  readonly isDropped: boolean;
}

export interface PullParts {
  readonly folder: SiteFolder;
  readonly journal: AgentJournal;
  readonly access: CoordinatorAccess;
  readonly nowMs: number;
  readonly onProgress?: (receivedBytes: number, totalBytes: number) => void;
}

export interface PulledVersion extends OfferedVersion {
  readonly path: string;
  readonly passportPath: string;
  /** False when the weights were here already. */
  readonly fetched: boolean;
}

/** All versions of this site's campaigns, newest campaign and newest version first. */
export async function offeredVersions(access: CoordinatorAccess, stallMs?: number): Promise<OfferedVersion[]> {
  const campaigns = await fetchCatalogue(access, stallMs);
  return campaigns.flatMap(({ id, name, state, versions }) =>
    [...versions].reverse().map(({ number, digest, bytes, score, droppedAtMs }) => {
      const campaign = { campaignId: id, campaignName: name, campaignState: state };
      return { ...campaign, number, digest, bytes, score, isDropped: droppedAtMs !== undefined };
    }),
  );
}

/**
 * Fetches a version with its passport to the site's models folder. A download that broke off goes on where it was; the weights
 * appear only when their digest is right, and what was here already is digested anew. May run beside the agent: it has a partial
 * file of its own. Throws NOT_FOUND when this site's campaigns have no such version.
 */
export async function pullVersion(wanted: VersionName, parts: PullParts, retry: RetryOptions): Promise<PulledVersion> {
  const { folder, journal, access } = parts;
  const version = findVersion(await offeredVersions(access), wanted);
  if (version === undefined) {
    const name = wanted.number === undefined ? wanted.campaign : `${wanted.campaign}@${wanted.number}`;
    throw new FederationError('NOT_FOUND', `the coordinator offers this site no version ${name}`, {
      remedy: 'See what there is with "site-agent model list".',
    });
  }
  const passport = await fetchPassport(access, version.campaignId, version.number);
  if (passport.model.digest !== version.digest) {
    throw new FederationError('PASSPORT_INVALID', 'the coordinator gave the passport of another version');
  }
  await requireOwnCoordinator(passport, folder);
  const path = modelFile(folder, version.digest);
  const fetched = !(await isHere(path, version.digest));
  if (fetched) {
    const arriving = `${path}.pulled`;
    const { digest, bytes } = version;
    const onProgress = (received: number): void => parts.onProgress?.(received, bytes);
    await downloadBlob({ ...access, digest, bytes, path: arriving, onProgress }, retry);
    await rename(arriving, path);
  }
  journal.noteVersion(version.campaignName, version, parts.nowMs);
  await writePassport(path, passport);
  return { ...version, path, passportPath: passportBeside(path), fetched };
}

async function isHere(path: string, digest: OfferedVersion['digest']): Promise<boolean> {
  return existsSync(path) && (await digestOfFile(path, algorithmOf(digest))) === digest;
}

/** A coordinator that has named its key signs: what comes without is not from it. */
async function requireOwnCoordinator(passport: ModelPassport, folder: SiteFolder): Promise<void> {
  const trusted = knownCoordinatorKeys(folder).map(({ thumbprint }) => thumbprint);
  await checkSignature(passport, { trusted, required: trusted.length > 0 });
}
