import type { Digest } from '@consilium/shared/kernel';

export interface EvaluatedModel {
  readonly modelPath: string;
  readonly digest: Digest;
  /** Where its history.json lies. */
  readonly folder: string;
}
