/** Keeps the cases of a training: in memory as long as they fit, the others as files in its work folder. */
import { join } from 'node:path';
import { type Digest, digestOfJson, formatBytes } from '@consilium/shared/kernel';
import type { EntryHeader } from '../../preprocessing/patch-cache/entry-header.js';
import { PatchCache } from '../../preprocessing/patch-cache/patch-cache.js';
import type { PreparedVolume } from '../../preprocessing/patch-cache/prepared-volume.js';
import { ReaderPool } from '../../preprocessing/patch-cache/reader-pool.js';
import { memoryLimit } from '../../trainer/memory-limit.js';
import type { Triple } from '../../volumes/volume.js';
import { ClassPlanes } from './class-planes.js';
import { shareBytes, shareFloats } from './shared-arrays.js';
import { type CaseFilesOnDisk, keptInMemory, type KeptCase, openCase } from './kept-case.js';
import type { LabelledCase } from './labelled-case.js';

/** What names a case's files: the image as it was prepared, and the label with all that decides its class map. */
export interface CaseIdentity {
  readonly image: Omit<EntryHeader, 'elementType'>;
  readonly label: { readonly digest: Digest; readonly fingerprint: Digest };
}

/** Of the memory that is left when cases are read; the rest is for the training. */
const SHARE = 0.5;

export class CaseStore {
  private readonly readers = new ReaderPool();
  private cache: PatchCache | undefined;
  private readonly kept = { inMemory: 0, bytes: 0, onDisk: 0 };

  constructor(
    private readonly folder: string,
    private readonly memoryBytes: number,
  ) {}

  /** @param limitBytes the site's own limit of the process, if it set one. */
  static beside(workFolder: string, limitBytes: number | undefined): CaseStore {
    const left = memoryLimit(limitBytes).bytes - process.memoryUsage.rss();
    return new CaseStore(join(workFolder, 'cases'), Math.max(0, SHARE * left));
  }

  /** Takes the case over. DISK_FULL or STORAGE_FAILED when it does not fit into memory and cannot be written. */
  async keep(labelled: LabelledCase, classes: number, identify: () => Promise<CaseIdentity>): Promise<KeptCase> {
    const bytes = bytesOf(labelled);
    if (this.kept.bytes + bytes <= this.memoryBytes) {
      this.kept.bytes += bytes;
      this.kept.inMemory++;
      return keptInMemory(inSharedMemory(labelled), classes);
    }
    this.cache ??= await PatchCache.open(this.folder);
    this.kept.onDisk++;
    return this.write(this.cache, labelled, classes, await identify());
  }

  /** A line for people when some cases lie on disk. */
  async describe(): Promise<string | undefined> {
    const { inMemory, bytes, onDisk } = this.kept;
    if (this.cache === undefined) return undefined;
    return (
      `memory: ${onDisk} of ${inMemory + onDisk} cases lie on disk (${formatBytes(await this.cache.usedBytes())} in ${this.folder}), ` +
      `the others take ${formatBytes(bytes)}; the same result, patches are read as they are needed`
    );
  }

  close(): void {
    this.readers.close();
  }

  private async write(
    cache: PatchCache,
    labelled: LabelledCase,
    classes: number,
    { image, label }: CaseIdentity,
  ): Promise<KeptCase> {
    const { name, sizeVoxels, intensities, classMap, own } = labelled;
    const store = async (header: EntryHeader, voxels: Float32Array): Promise<PreparedVolume> =>
      (await cache.find(header)) ?? (await cache.store(header, voxels));
    const ofLabel = (size: Triple, grid: 'training' | 'own'): EntryHeader => ({
      ...image,
      digest: label.digest,
      fingerprint: digestOfJson({ label: label.fingerprint, grid }),
      sizeVoxels: [...size],
      elementType: 'f16', // exact for the whole numbers of 256 classes
      airThreshold: 0,
      airValue: 0,
    });
    const files: CaseFilesOnDisk = {
      image: await store({ ...image, elementType: 'f32' }, intensities),
      classes: await store(ofLabel(sizeVoxels, 'training'), Float32Array.from(classMap)),
      own: own && {
        fromOwn: own.fromOwn,
        classes: await store(ofLabel(sizeOfOwn(own.fromOwn), 'own'), Float32Array.from(own.classMap)),
      },
    };
    const { counts } = ClassPlanes.count(classMap, sizeVoxels, classes);
    return openCase({ planes: counts, place: { name, files } }, this.readers);
  }
}

/** So that threads cut patches out of it without a copy of their own. */
function inSharedMemory(labelled: LabelledCase): LabelledCase {
  const { intensities, classMap, own } = labelled;
  return {
    ...labelled,
    intensities: shareFloats(intensities),
    classMap: shareBytes(classMap),
    ...(own && { own: { ...own, classMap: shareBytes(own.classMap) } }),
  };
}

function bytesOf({ intensities, classMap, own }: LabelledCase): number {
  return intensities.byteLength + classMap.byteLength + (own?.classMap.byteLength ?? 0);
}

function sizeOfOwn(fromOwn: NonNullable<LabelledCase['own']>['fromOwn']): Triple {
  return [fromOwn[0].inputs, fromOwn[1].inputs, fromOwn[2].inputs];
}
