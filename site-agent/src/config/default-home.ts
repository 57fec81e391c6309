const HOME_VARIABLE = 'CONSILIUM_SITE_HOME';

/** The site's folder when `--home` is not given: CONSILIUM_SITE_HOME, or "site" in the current folder. */
export function defaultHome(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return environment[HOME_VARIABLE] ?? 'site';
}
