/** Retrievals from an archive by WADO-RS, DICOM PS3.18 section 10.4. */
import { open, rename, rm } from 'node:fs/promises';
import { FederationError } from '@consilium/shared/kernel';
import { readDicomFacts } from '../../volumes/dicom/read-dicom-facts.js';
import type { SiteHashes } from '../site-hashes.js';
import type { ArchiveAnswer, ArchiveLink } from './archive-link.js';
import { type AttemptPlan, fewAttempts } from './few-attempts.js';
import { boundaryOf, multipartBodies } from './multipart-bodies.js';
import { type PulledFolder, type PulledState, storing } from './pulled-folder.js';
import { listInstances } from './search-series.js';
import type { ArchivedSeries } from './series-filter.js';

export interface PullContext {
  readonly link: ArchiveLink;
  readonly folder: PulledFolder;
  readonly hashes: SiteHashes;
  /** Whether a patient, by salted hash, has opted out. */
  readonly isOptedOut: (patient: string) => boolean;
  readonly attempts: AttemptPlan;
  readonly onBytes?: (bytes: number) => void;
  readonly onInstance?: () => void;
  /** No instance is believed to be larger. */
  readonly mostInstanceBytes?: number;
  /** Left free on the disk. */
  readonly reservedBytes?: number;
}

export interface SeriesOutcome {
  readonly is: 'pulled' | 'already-here' | 'opted-out';
  /** Instances that came now. */
  readonly instances: number;
  /** Instances that the archive sends damaged. */
  readonly damaged: number;
}

/** What is stored, as it is stored: nothing is converted, so nothing is lost. */
const ACCEPT = 'multipart/related; type="application/dicom"; transfer-syntax=*';
/** For archives that know no such parameter. */
const PLAIN_ACCEPT = 'multipart/related; type="application/dicom"';
const SINGLE_PART = /^\s*application\/(dicom|octet-stream)\b/i;
const MOST_INSTANCE_BYTES = 16 * 2 ** 30;
const RESERVED_BYTES = 256 * 2 ** 20;
/** An instance that arrives damaged this often is damaged there. */
const TRIES_OF_DAMAGED = 2;

/**
 * Brings one series here: what is missing of it, and nothing when it is complete. What has come stays whatever happens. The failure
 * of the last of a few attempts is thrown. A series of a patient who opted out is not fetched, or removed as soon as it shows.
 */
export async function pullSeries(found: ArchivedSeries, context: PullContext): Promise<SeriesOutcome> {
  const { folder, hashes } = context;
  const series = hashes.series(found.series);
  const patient = found.patientId === undefined ? undefined : hashes.patient(found.patientId);
  if (patient !== undefined && context.isOptedOut(patient)) return optedOut(folder, series);
  const state = await folder.state(series);
  if (await isComplete(folder, series, state, found.instances)) {
    return { is: 'already-here', instances: 0, damaged: state.damaged.length };
  }
  const pull = new SeriesPull(found, series, context, state);
  if (!(await pull.complete())) return optedOut(folder, series);
  return { is: pull.kept > 0 ? 'pulled' : 'already-here', instances: pull.kept, damaged: pull.damaged };
}

/** True when all files are here, in the length they had, and the archive has not got more since. */
export async function isComplete(
  folder: PulledFolder,
  series: string,
  { complete, listed, counted, damaged, bytes }: PulledState,
  instances: number | undefined,
): Promise<boolean> {
  if (!complete || (instances ?? 0) > Math.max(listed, counted ?? 0)) return false;
  const files = await folder.files(series);
  return files.length === listed - damaged.length && files.reduce((sum, file) => sum + file.bytes, 0) === bytes;
}

async function optedOut(folder: PulledFolder, series: string): Promise<SeriesOutcome> {
  await folder.remove(series);
  return { is: 'opted-out', instances: 0, damaged: 0 };
}

class SeriesPull {
  kept = 0;
  private readonly path: string;
  /** Salted hashes of the instances that the archive lists, with the identifiers to ask for them. */
  private listed = new Map<string, string>();
  private here = new Set<string>();
  private readonly patients: Set<string>;
  private readonly failures = new Map<string, number>();
  private strays = 0;
  /** What this archive has shown it cannot do. */
  private accept = ACCEPT;
  private wholeSeries = true;
  private foundOptOut = false;

  constructor(
    private readonly found: ArchivedSeries,
    private readonly series: string,
    private readonly context: PullContext,
    state: PulledState,
  ) {
    this.path = `studies/${found.examination}/series/${found.series}`;
    this.patients = new Set(state.patients);
    for (const instance of state.damaged) this.failures.set(instance, TRIES_OF_DAMAGED);
  }

  get damaged(): number {
    return [...this.listed.keys()].filter((instance) => this.isDamaged(instance)).length;
  }

  /** False when the patient turned out to have opted out. */
  async complete(): Promise<boolean> {
    const { folder, link, hashes, attempts } = this.context;
    const instances = await listInstances(link, this.found);
    if (instances.length === 0) throw new FederationError('NOT_FOUND', 'the archive lists no instance of it');
    this.listed = new Map(instances.map((instance) => [hashes.instance(instance), instance]));
    await folder.openSeries(this.series);
    await this.takeStock();
    await fewAttempts((advanced) => this.fetchMissing(advanced), attempts);
    if (this.foundOptOut) return false;
    await this.saveState(true);
    return true;
  }

  /** What an earlier pull has left. A power cut may have left files without their content. */
  private async takeStock(): Promise<void> {
    for (const file of await this.context.folder.files(this.series)) {
      const facts = await readDicomFacts(file.path).catch(() => undefined);
      const isWhole = facts !== undefined && this.context.hashes.instance(facts.sopInstance) === file.instance;
      if (isWhole && this.listed.has(file.instance)) this.here.add(file.instance);
      else await storing(() => rm(file.path, { force: true }));
    }
  }

  private async fetchMissing(advanced: () => void): Promise<void> {
    await this.requireSpace();
    const before = this.kept;
    try {
      // The whole at once while most is missing, what is left then one by one.
      if (this.wholeSeries && this.missing().length > 1 && this.here.size * 4 < this.listed.size) await this.fetchWhole();
      for (let missing = this.missing(); missing.length > 0 && !this.foundOptOut; missing = this.missing()) {
        for (const instance of missing) {
          if (!this.foundOptOut) await this.fetchOne(instance);
        }
      }
    } finally {
      if (this.kept > before) advanced();
    }
  }

  private requireSpace(): Promise<void> {
    const { folder, reservedBytes = RESERVED_BYTES } = this.context;
    return folder.requireSpace(reservedBytes);
  }

  private async fetchWhole(): Promise<void> {
    try {
      await this.fetch(this.path);
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (!isUnsupported(error)) throw error;
      this.wholeSeries = false;
    }
  }

  private async fetchOne(instance: string): Promise<void> {
    await this.fetch(`${this.path}/instances/${this.listed.get(instance)}`);
    if (!this.here.has(instance)) this.failures.set(instance, (this.failures.get(instance) ?? 0) + 1);
  }

  private async fetch(path: string): Promise<void> {
    const { link } = this.context;
    try {
      await link.stream(path, this.accept, (answer) => this.receive(answer));
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (!isUnsupported(error) || this.accept === PLAIN_ACCEPT) throw error;
      this.accept = PLAIN_ACCEPT;
      await link.stream(path, this.accept, (answer) => this.receive(answer));
    }
  }

  private async receive({ contentType, body }: ArchiveAnswer): Promise<void> {
    const boundary = boundaryOf(contentType);
    if (boundary === undefined && !SINGLE_PART.test(contentType)) {
      throw new FederationError('ARCHIVE_ANSWER_INVALID', 'the archive sends something other than DICOM files');
    }
    const bodies = boundary === undefined ? [body] : multipartBodies(body, boundary);
    for await (const one of bodies) {
      await this.keep(one);
      if (this.foundOptOut) return;
    }
  }

  /** Writes a file aside, looks at what it is, and gives it its name. */
  private async keep(body: AsyncIterable<Uint8Array>): Promise<void> {
    const { folder, hashes, isOptedOut } = this.context;
    const partial = folder.partialOf(this.series);
    await this.requireSpace();
    try {
      await this.write(body, partial);
      const facts = await readDicomFacts(partial).catch(() => undefined);
      const instance = facts === undefined ? undefined : hashes.instance(facts.sopInstance);
      const isWanted = instance !== undefined && this.listed.has(instance) && facts?.seriesInstance === this.found.series;
      if (!isWanted || this.here.has(instance)) return this.countStray();
      if (facts.patientId !== undefined) await this.meetPatient(hashes.patient(facts.patientId), isOptedOut);
      if (this.foundOptOut) return;
      await storing(() => rename(partial, folder.fileOf(this.series, instance)));
      this.here.add(instance);
      this.kept++;
      this.context.onInstance?.();
    } finally {
      await rm(partial, { force: true });
    }
  }

  private async write(body: AsyncIterable<Uint8Array>, partial: string): Promise<void> {
    const { mostInstanceBytes = MOST_INSTANCE_BYTES, onBytes } = this.context;
    const file = await storing(() => open(partial, 'wx', 0o600));
    try {
      let bytes = 0;
      for await (const piece of body) {
        bytes += piece.length;
        if (bytes > mostInstanceBytes) throw new FederationError('ARCHIVE_ANSWER_INVALID', 'an instance has no end');
        await storing(() => file.appendFile(piece));
        onBytes?.(piece.length);
      }
    } finally {
      await file.close();
    }
  }

  /** Known on disk before the first file of the patient is, so that an opt-out finds the series. */
  private async meetPatient(patient: string, isOptedOut: (patient: string) => boolean): Promise<void> {
    if (this.patients.has(patient)) return;
    if (isOptedOut(patient)) return void (this.foundOptOut = true);
    this.patients.add(patient);
    await this.saveState(false);
  }

  /** Damaged, of another series, or sent twice. Some are passed over; an archive that sends nothing else is not listened to. */
  private countStray(): void {
    this.strays++;
    if (this.strays <= this.listed.size * 3 + 16) return;
    throw new FederationError('ARCHIVE_ANSWER_INVALID', 'the archive sends other instances than those it lists');
  }

  private missing(): string[] {
    return [...this.listed.keys()].filter((instance) => !this.here.has(instance) && !this.isDamaged(instance));
  }

  private isDamaged(instance: string): boolean {
    return !this.here.has(instance) && (this.failures.get(instance) ?? 0) >= TRIES_OF_DAMAGED;
  }

  private async saveState(complete: boolean): Promise<void> {
    const { folder } = this.context;
    const files = await folder.files(this.series);
    await folder.saveState(this.series, {
      version: 1,
      complete,
      listed: this.listed.size,
      counted: this.found.instances,
      damaged: [...this.listed.keys()].filter((instance) => this.isDamaged(instance)),
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      patients: [...this.patients],
    });
  }
}

/** The archive has understood, and does not do this. */
function isUnsupported({ code }: FederationError): boolean {
  return code === 'ARCHIVE_ANSWER_INVALID' || code === 'NOT_FOUND';
}
