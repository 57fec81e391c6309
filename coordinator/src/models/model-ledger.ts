import { type Clock, type Digest, FederationError, newId, required } from '@consilium/shared/kernel';
import type { Monitors, ProbeScore, VersionDelta } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { CLOCK } from '../ports.js';
import { ModelVersion } from './model-version.entity.js';
import { VersionScore } from './version-score.entity.js';

/** The lineage of each campaign's weights, and what sites say of them. Methods run inside the caller's transaction. */
@Injectable()
export class ModelLedger {
  constructor(@Inject(CLOCK) private readonly clock: Clock) {}

  /** Adds the next version; the unique keys refuse a second one for the same number or round. */
  async append(
    records: EntityManager,
    version: Pick<ModelVersion, 'campaignId' | 'number' | 'digest' | 'bytes' | 'roundId'> &
      Partial<Pick<ModelVersion, 'stateDigest' | 'stateBytes' | 'deltaDigest' | 'deltaBytes'>>,
  ): Promise<ModelVersion> {
    const parentNumber = version.number === 1 ? null : version.number - 1;
    const carried = { stateDigest: version.stateDigest ?? null, stateBytes: version.stateBytes ?? null };
    const delta = { deltaDigest: version.deltaDigest ?? null, deltaBytes: version.deltaBytes ?? null };
    const kept = { pin: null, droppedAtMs: null };
    const row = {
      ...version,
      ...carried,
      ...delta,
      ...kept,
      id: newId('version'),
      parentNumber,
      createdAtMs: this.clock.nowMs(),
    };
    await records.insert(ModelVersion, row);
    return row;
  }

  async newest(records: EntityManager, campaignId: string): Promise<ModelVersion> {
    const version = await records.findOne(ModelVersion, { where: { campaignId }, order: { number: 'DESC' } });
    return required(version, 'the newest version of a campaign');
  }

  async version(records: EntityManager, campaignId: string, number: number): Promise<ModelVersion | null> {
    return records.findOneBy(ModelVersion, { campaignId, number });
  }

  /** NOT_FOUND when the campaign has no such version. */
  async requireVersion(
    records: EntityManager,
    { id, name }: { readonly id: string; readonly name: string },
    number: number,
  ): Promise<ModelVersion> {
    const version = await this.version(records, id, number);
    if (version !== null) return version;
    throw new FederationError('NOT_FOUND', `the campaign ${name} has no version ${number}`, {
      remedy: `List them with "coordinator model list ${name}".`,
    });
  }

  /** In number order. */
  async versionsOf(records: EntityManager, campaignId: string): Promise<ModelVersion[]> {
    return records.find(ModelVersion, { where: { campaignId }, order: { number: 'ASC' } });
  }

  async versionsWithDigest(records: EntityManager, digest: Digest): Promise<ModelVersion[]> {
    return records.findBy(ModelVersion, { digest });
  }

  /** The file by which a version is made from its parent; undefined where there is none. */
  async deltaOf(
    records: EntityManager,
    { campaignId, parentNumber, ...version }: ModelVersion,
  ): Promise<VersionDelta | undefined> {
    const { deltaDigest, deltaBytes } = version;
    if (parentNumber === null || deltaDigest === null || deltaBytes === null) return undefined;
    const parent = required(await this.version(records, campaignId, parentNumber), 'the parent of a version');
    return { parent: parent.digest, digest: deltaDigest, bytes: deltaBytes };
  }

  /** The versions whose weights, delta or recipe's state are this file. */
  async versionsWithFile(records: EntityManager, digest: Digest): Promise<ModelVersion[]> {
    return records.findBy(ModelVersion, [{ digest }, { stateDigest: digest }, { deltaDigest: digest }]);
  }

  /** Records a site's score; a repeated report replaces the earlier one. */
  async recordScore(
    records: EntityManager,
    version: { campaignId: string; number: number },
    site: { id: string; name: string },
    { score, monitors = null }: { readonly score: ProbeScore; readonly monitors?: Monitors | null | undefined },
  ): Promise<void> {
    await records.save(VersionScore, {
      campaignId: version.campaignId,
      versionNumber: version.number,
      siteId: site.id,
      siteName: site.name,
      score,
      monitors,
      reportedAtMs: this.clock.nowMs(),
    });
  }

  async scoresOf(records: EntityManager, campaignId: string): Promise<VersionScore[]> {
    return records.find(VersionScore, { where: { campaignId }, order: { siteName: 'ASC' } });
  }

  async hasScore(records: EntityManager, campaignId: string, versionNumber: number, siteId: string): Promise<boolean> {
    return records.existsBy(VersionScore, { campaignId, versionNumber, siteId });
  }
}
