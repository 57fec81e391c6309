import type { Orientation } from '../orientation.js';
import type { ScanHeader } from '../scan-header.js';
import type { Triple } from '../volume.js';
import type { DicomFacts, PlaneFacts, Point } from './dicom-facts.js';

/** A plane that states where it lies, with the file that holds it. Its directions are unit vectors at right angles. */
export interface PlacedPlane {
  readonly facts: DicomFacts;
  readonly plane: PlaneFacts;
  readonly position: Point;
  readonly rowDirection: Point;
  readonly columnDirection: Point;
  readonly spacingMm: readonly [betweenRows: number, betweenColumns: number];
  /** Pixels of this plane; a tile's, not the mosaic's. */
  readonly rows: number;
  readonly columns: number;
}

/** The grid that a stack's planes form, in stored order: columns, rows, slices along the normal (row × column direction). */
export interface StackGrid {
  readonly sizeVoxels: Triple;
  /** 4×4, row-major: stored index → RAS+ millimetres. */
  readonly affine: readonly number[];
  readonly orientation: Orientation;
}

/** One volume, or a series of volumes of one geometry, that files of a DICOM series form; or the reason why they form none. */
export type SeriesStack = ReadableStack | RefusedStack;

export interface ReadableStack {
  /** `reported`: reads, but a person should know the reason. */
  readonly status: 'ok' | 'reported';
  readonly reason: string | undefined;
  readonly header: ScanHeader;
  readonly grid: StackGrid;
  /** For each frame its planes, in the grid's slice order. */
  readonly frames: readonly (readonly PlacedPlane[])[];
  readonly files: readonly string[];
}

export interface RefusedStack {
  readonly status: 'refused';
  readonly reason: string;
  readonly remedy: string | undefined;
  readonly modality: ScanHeader['modality'];
  readonly bodyPart: string | undefined;
  readonly files: readonly string[];
}

/** A file that belongs to no volume, such as a structure set, or the second copy of an image. */
export interface LeftOutFile {
  readonly file: string;
  readonly reason: string;
}

export interface SeriesAssembly {
  /** In an order that the files' names and their order do not change. */
  readonly stacks: readonly SeriesStack[];
  readonly leftOut: readonly LeftOutFile[];
}

/** Why planes form no volume. */
export interface StackFault {
  readonly fault: string;
  readonly remedy?: string;
}
