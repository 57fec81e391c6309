import { FederationError } from '@consilium/shared/kernel';

/** A version as people write it: `chest` (the newest one) or `chest@4`. */
export interface VersionName {
  readonly campaign: string;
  /** Undefined for the newest. */
  readonly number: number | undefined;
}

const PATTERN = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})(?:@(?:([1-9]\d{0,8})|latest))?$/;

/** CAMPAIGN, CAMPAIGN@latest (the same) or CAMPAIGN@NUMBER; undefined for any other text. */
export function asVersionName(text: string): VersionName | undefined {
  const [, campaign, number] = PATTERN.exec(text) ?? [];
  return campaign === undefined ? undefined : { campaign, number: number === undefined ? undefined : Number(number) };
}

/** As {@link asVersionName}; ARGUMENT_INVALID when it is no campaign's name, with or without the number of a version. */
export function parseVersionName(text: string): VersionName {
  const name = asVersionName(text);
  if (name !== undefined) return name;
  throw new FederationError('ARGUMENT_INVALID', `${text} names no version`, {
    remedy: 'Write CAMPAIGN for its newest version, or CAMPAIGN@NUMBER.',
  });
}

/** The version among those of all campaigns, or the newest of its campaign; undefined when it is not there. */
export function findVersion<T extends { readonly campaignName: string; readonly number: number }>(
  versions: readonly T[],
  { campaign, number }: VersionName,
): T | undefined {
  const own = versions.filter(({ campaignName }) => campaignName === campaign);
  const wanted = number ?? own.reduce((newest, version) => Math.max(newest, version.number), 0);
  return own.find((version) => version.number === wanted);
}
