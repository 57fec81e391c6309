import { stat } from 'node:fs/promises';
import type { Digest } from '@consilium/shared/kernel';
import { describeIntensities } from '../volumes/intensity-statistics.js';
import { readNiftiVolumes } from '../volumes/nifti/nifti-volume.js';
import { readVolume } from '../volumes/read-volume.js';
import type { Modality, Volume } from '../volumes/volume.js';
import { faultOf, reasonOf } from '../volumes/volume-fault.js';
import { digestOfFrame, digestOfScan } from '../volumes/digest-of-scan.js';
import type { FileStamp } from '../volumes/indexed-volume.js';
import { judgeVolume, type Judgement } from './judge-volume.js';
import { looksLikeFace } from './privacy/face-check.js';
import { makeThumbnail } from './report/thumbnail.js';
import type { CheckedVolume, ScanCheck, Verdict } from './scan-entry.js';
import { sourceOf } from './usable-volumes.js';

/** A scan whose voxels are to be read; plain data, for threads. */
export interface CheckTask {
  readonly kind: 'nifti' | 'dicom';
  readonly path: string;
  readonly stack: number;
  readonly files: readonly FileStamp[];
  /** Frames to read, from 0 on. */
  readonly frames: number;
  /** As header, notes or a person states it. */
  readonly modality: Modality | undefined;
  readonly bodyPart: string | undefined;
}

/** `changed`: a file is another than the index knows, or gone; nothing can be said of the scan until it is indexed again. */
export type CheckOutcome = ScanCheck | 'changed';

const FACE_WARNING = 'a head with a face region: a person could be recognised from its surface';

interface FrameFinding {
  readonly volume: CheckedVolume;
  readonly judgement: Judgement;
  readonly hasFace: boolean;
}

/**
 * Reads all voxels of a scan once: digest, statistics, thumbnail, and whether training can use them. Damage is an outcome, not
 * an error. Holds one volume at a time.
 */
export async function checkScan(task: CheckTask): Promise<CheckOutcome> {
  if (!(await isUnchanged(task.files))) return 'changed';
  let outcome: ScanCheck;
  try {
    const digest = await digestOfScan({ ...task, files: task.files.map(({ path }) => path) });
    outcome = conclude(await readFrames(task, digest));
  } catch (thrown) {
    const fault = faultOf(thrown, task.path);
    if (fault.kind !== 'volume') throw fault;
    outcome = refused({ status: 'refused', code: fault.code, reason: reasonOf(fault), remedy: fault.remedy });
  }
  return (await isUnchanged(task.files)) ? outcome : 'changed';
}

/** The outcome for a scan that cannot be read at all. */
export function refused(verdict: Verdict): ScanCheck {
  return { ...verdict, unusedBecause: undefined, warnings: [], volumes: [] };
}

async function readFrames(task: CheckTask, digest: Digest): Promise<FrameFinding[]> {
  const findings: FrameFinding[] = [];
  for await (const volume of volumesOf(task)) findings.push(describe(volume, findings.length, digest, task));
  return findings;
}

async function* volumesOf(task: CheckTask): AsyncGenerator<Volume> {
  if (task.kind === 'nifti' && task.frames > 1) {
    yield* readNiftiVolumes(task.path);
    return;
  }
  for (let frame = 0; frame < task.frames; frame++) yield await readVolume(sourceOf(task, frame, task.files));
}

function describe(volume: Volume, frame: number, digest: Digest, { modality: said, bodyPart }: CheckTask): FrameFinding {
  const statistics = describeIntensities(volume.voxels);
  const judgement = judgeVolume(volume, statistics, said);
  const { modality, unusedBecause } = judgement;
  return {
    volume: {
      frame,
      digest: digestOfFrame(digest, frame),
      statistics,
      repairedVoxels: volume.repairedVoxels,
      thumbnail: makeThumbnail(volume, modality, statistics),
      modality,
      unusedBecause,
    },
    judgement,
    hasFace: looksLikeFace(volume, modality, bodyPart),
  };
}

/** A person should know of the first frame's oddity, or that a later one has one. */
function conclude(findings: readonly FrameFinding[]): ScanCheck {
  const odd = findings.find(({ judgement }) => judgement.remark !== undefined);
  const usable = findings.some(({ judgement }) => judgement.unusedBecause === undefined);
  const first = findings[0]?.judgement;
  return {
    status: odd === undefined ? 'ok' : 'reported',
    code: undefined,
    reason: odd?.judgement.remark,
    remedy: usable ? undefined : first?.remedy,
    unusedBecause: usable ? undefined : (first?.unusedBecause ?? 'it holds no volume'),
    warnings: findings.some(({ hasFace }) => hasFace) ? [FACE_WARNING] : [],
    volumes: findings.map(({ volume }) => volume),
  };
}

async function isUnchanged(files: readonly FileStamp[]): Promise<boolean> {
  for (const { path, bytes, modifiedMs } of files) {
    const facts = await stat(path).catch(() => undefined);
    if (facts?.size !== bytes || facts.mtimeMs !== modifiedMs) return false;
  }
  return true;
}
