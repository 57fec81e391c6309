/** Millimetres in DICOM's patient coordinates: x to the left, y to the back, z to the head (LPS). */
export type Point = readonly [x: number, y: number, z: number];

/** One plane of pixels: a whole classic file, one frame of a multi-frame file, or one tile of a mosaic. */
export interface PlaneFacts {
  /** Frame of the file, from 0. */
  readonly frame: number;
  /** Tile of the frame (column, row), for Siemens mosaics. */
  readonly tile?: readonly [column: number, row: number];
  /** Centre of the first pixel, Image Position (Patient). Undefined when the file does not say. */
  readonly position: Point | undefined;
  /** Image Orientation (Patient): along a row (growing column), along a column (growing row). Unit vectors. */
  readonly rowDirection: Point | undefined;
  readonly columnDirection: Point | undefined;
  /** Pixel Spacing: between rows, between columns. */
  readonly spacingMm: readonly [betweenRows: number, betweenColumns: number] | undefined;
  /** Rescale slope and intercept of this plane; 1 and 0 when absent. */
  readonly slope: number;
  readonly intercept: number;
  /** Order among the frames of a multi-frame file as its dimension organisation gives it, without the position in the stack. */
  readonly dimensionKey?: string;
}

/**
 * What the header of one DICOM file says that geometry, pixels, the index and the privacy check need. Identifiers are here
 * only to be hashed: they are never stored, logged or sent.
 */
export interface DicomFacts {
  readonly path: string;
  readonly transferSyntax: string;
  readonly sopClass: string;
  readonly sopInstance: string;
  /** As stated: "CT", "MR", "RTSTRUCT", …; UNKNOWN for what DICOM does not define. */
  readonly modality: string;
  readonly seriesInstance: string;
  readonly examinationInstance: string;
  readonly frameOfReference: string | undefined;
  readonly patientId: string | undefined;
  readonly bodyPart: string | undefined;
  readonly manufacturer: string | undefined;
  /** Image Type, such as ["ORIGINAL", "PRIMARY", "LOCALIZER"]. */
  readonly imageType: readonly string[];
  /** Undefined for objects without pixels (structure sets, reports). */
  readonly pixels: PixelFacts | undefined;
  readonly planes: readonly PlaneFacts[];
  readonly instanceNumber: number | undefined;
  /** What may tell time points, echoes and the like apart, in DICOM's own units; undefined where absent. */
  readonly acquisitionNumber: number | undefined;
  readonly temporalPosition: number | undefined;
  readonly triggerTimeMs: number | undefined;
  readonly echoTimeMs: number | undefined;
  readonly echoNumber: number | undefined;
  readonly bValue: number | undefined;
  /** Seconds since midnight. */
  readonly acquisitionTimeS: number | undefined;
  readonly contentTimeS: number | undefined;
  /** Degrees; CT. */
  readonly gantryTilt: number | undefined;
  readonly sliceThicknessMm: number | undefined;
  readonly spacingBetweenSlicesMm: number | undefined;
  /** Names of identifying attributes that hold a value (never the values), and what else a privacy check should know. */
  readonly privacy: PrivacyFacts;
}

/** How pixels are stored, from group 0028. */
export interface PixelFacts {
  readonly rows: number;
  readonly columns: number;
  readonly frames: number;
  /** Size of one plane: that of the frame, or of one tile of a mosaic. */
  readonly planeRows: number;
  readonly planeColumns: number;
  readonly samplesPerPixel: number;
  readonly photometric: string;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly highBit: number;
  readonly signed: boolean;
  /** Float or double pixel data instead of integers. */
  readonly floating: boolean;
  /** Pixel Padding Value and Range Limit, as stored values; undefined when not set. */
  readonly padding: readonly [from: number, to: number] | undefined;
}

export interface PrivacyFacts {
  /** Keywords of identifying attributes with a value, such as "PatientName". */
  readonly identifyingAttributes: readonly string[];
  /** Burned In Annotation is YES. */
  readonly burnedInAnnotation: boolean;
  /** Recognizable Visual Features is YES. */
  readonly recognisableFeatures: boolean;
  /** Patient Identity Removed is YES. */
  readonly deidentified: boolean;
}
