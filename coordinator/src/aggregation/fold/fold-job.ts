import type { Digest, DigestAlgorithm } from '@consilium/shared/kernel';
import type { Manifest } from '@consilium/shared/weights';
import type { NumberFormat } from '@consilium/shared/wire';
import type { FoldRecipe, LeftOutCode, UpdateFacts } from '../recipe.js';

/** What a state file carries beside what the recipe does: what the number format took from the deltas of versions. */
export const RESIDUAL = 'residual';

/** An accepted update: deltas of the federated tensors in any number format, and `control/NAME` beside them under SCAFFOLD. */
export interface UpdateFile extends UpdateFacts {
  readonly path: string;
}

export interface FoldJob {
  /** All tensors of the model with their scope; the next version holds them in this order, in 32 bits. */
  readonly manifest: Manifest;
  readonly basePath: string;
  /** What the fold before carried on; null in the first round. */
  readonly statePath: string | null;
  /** In any order. Every number in them is finite: intake has seen to that. */
  readonly updates: readonly UpdateFile[];
  readonly recipe: FoldRecipe;
  /**
   * Names of tensors that an update may lack, all of them or none. Such a tensor is combined of the updates that hold it, by their
   * weights alone; its combined delta is 0 where none does. Not for recipes that choose or have controls.
   */
  readonly mayLack?: readonly string[] | undefined;
  /**
   * Added to the sum of the updates before it is divided by their number: then each counts the same, whatever its patches. For recipes
   * that average; a site has one update.
   */
  readonly noise?: NoiseOrder | undefined;
  /** Of the next version's file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** SCAFFOLD's N. */
  readonly sitesOfCampaign: number;
  readonly digest: DigestAlgorithm;
  /** Written whole and on disk when the fold ends, removed when it fails; the caller moves it to where it stays. */
  readonly outputPath: string;
  /** The same for what the fold carries on; not touched when it carries nothing. */
  readonly stateOutputPath: string;
  /** Defines the next version by a delta from the base; what the recipe makes is the version itself when left out. */
  readonly delta?: DeltaOrder | undefined;
  /** Stops the fold between two pieces. */
  readonly signal?: AbortSignal;
  /** As many as there are cores, up to four, by default; 0 folds in the caller's thread. */
  readonly threads?: number;
  /** Elements read at a time, at most; rounded up to whole blocks. Changes no bit. */
  readonly rangeElements?: number;
}

/** Normal noise on the sum of the updates (shared/safeguards). */
export interface NoiseOrder {
  /** 64 hexadecimal digits. Whoever has it can take the noise off again. */
  readonly key: string;
  readonly deviation: number;
}

/** The delta file of the next version (shared/weights/version-delta). */
export interface DeltaOrder {
  readonly format: NumberFormat;
  /** Whether what the format takes is carried on, to be added in the next round. No recipe with controls: sites read its state. */
  readonly errorFeedback: boolean;
  /** Of the base. */
  readonly parent: Digest;
  readonly outputPath: string;
}

export interface WrittenFile {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface FoldOutcome extends WrittenFile {
  readonly state: WrittenFile | null;
  /** Null also where a weight moved further than the ordered format holds: then the version is what the recipe makes. */
  readonly delta: WrittenFile | null;
  /** In site order; a site with two updates in a buffered round appears twice. */
  readonly foldedSites: readonly string[];
  readonly leftOut: readonly { readonly siteName: string; readonly code: LeftOutCode }[];
  /** The sum of the weights. */
  readonly totalWeight: number;
}
