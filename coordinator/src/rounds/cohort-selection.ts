/** The sites of one round: today every site of the campaign that is still enrolled, in name order. */
export function selectCohort<T extends { readonly name: string }>(sites: readonly T[], isEnrolled: (site: T) => boolean): T[] {
  return sites.filter(isEnrolled).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
