/** What is measured of an update's values in one pass over its file. */
export interface UpdateFacts {
  /** Euclidean norm of all values. */
  readonly norm: number;
}

export interface MeasuredUpdate extends UpdateFacts {
  /** A random projection of all values: enough to compare it with others without reading it again. */
  readonly sketch: string;
}
