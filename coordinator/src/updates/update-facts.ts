/** What is measured of an update's values in one pass over its file: enough to compare it with others without reading it again. */
export interface UpdateFacts {
  /** Euclidean norm of all values. */
  readonly norm: number;
  /** A random projection of all values (base64 of 32-bit floats): angles between updates survive in it. */
  readonly sketch: string;
}
