import { type Digest, digestOfJson } from '@consilium/shared/kernel';

export interface FoldedUpdate {
  readonly siteName: string;
  readonly digest: Digest;
  readonly patches: number;
  readonly staleness: number;
}

export type MovedPart = 'representation' | 'adversary';

/** What stands for the weights of the two parts of a model with a frozen adversary, and how they came about. */
export interface FoldedParts {
  readonly moved: readonly MovedPart[];
  readonly recipe: string;
  /** The recipe's state that the fold began with. */
  readonly tookUp: Digest | null;
  readonly weights: Readonly<Record<MovedPart, Digest>>;
}

export interface FoldedVersion {
  readonly base: Digest;
  readonly updates: readonly FoldedUpdate[];
  readonly parts?: FoldedParts | undefined;
}

/** What stands for a folded model version: everything that went into it, in the order in which it was added up. */
export function foldedBytes(base: Digest, updates: readonly FoldedUpdate[], parts?: FoldedParts): Buffer {
  const members = updates.map(({ siteName, digest, patches, staleness }) => ({ siteName, digest, patches, staleness }));
  return Buffer.from(JSON.stringify({ base, updates: members, parts } satisfies FoldedVersion));
}

/** The weights of a part of a version; its base has been folded or not. */
export function weightsOf(version: FoldedVersion | undefined, part: MovedPart): Digest {
  return version?.parts?.weights[part] ?? digestOfJson(`the seeded ${part}`);
}

/** What a part's weights become. */
export function movedWeights(before: Digest, updates: readonly FoldedUpdate[]): Digest {
  return digestOfJson({ before, updates: updates.map(({ digest, patches }) => ({ digest, patches })) });
}

/** Undefined for what is no folded version, such as a campaign's first one. */
export function readFolded(bytes: Buffer): FoldedVersion | undefined {
  return bytes.at(0) === '{'.charCodeAt(0) ? (JSON.parse(bytes.toString()) as FoldedVersion) : undefined;
}
