import type { Monitors, ToldReport, UpdateMonitors } from '@consilium/shared/wire';

/**
 * The monitors of several sites' updates in one, before and after training; undefined when no report has any. Each figure is the
 * mean over the sites' frozen probes weighted by the patches that it was measured on. So errors and accuracies are those of all probes
 * together; the constant error is of each site's own best constant, and a rank of each site's own features.
 */
export function meanMonitors(reports: readonly (ToldReport | null)[]): UpdateMonitors | undefined {
  const known = reports.flatMap((report) => report?.monitors ?? []);
  if (known.length === 0) return undefined;
  return { base: meanOf(known.map(({ base }) => base)), trained: meanOf(known.map(({ trained }) => trained)) };
}

function meanOf(sites: readonly Monitors[]): Monitors {
  const modalities = [...new Set(sites.flatMap(({ restoration }) => restoration.map(({ modality }) => modality)))].sort();
  return {
    patches: patchesOf(sites),
    restoration: modalities.map((modality) => {
      const own = sites.flatMap(({ restoration }) => restoration.filter((one) => one.modality === modality));
      const restorationError = weightedMean(own, (one) => one.restorationError) ?? 0;
      const constantError = weightedMean(own, (one) => one.constantError) ?? 0;
      const skill = constantError > 0 ? 1 - restorationError / constantError : 0;
      return { modality, patches: patchesOf(own), restorationError, constantError, skill };
    }),
    scaleAccuracy: weightedMean(sites, ({ scaleAccuracy }) => scaleAccuracy),
    modalityAccuracy: weightedMean(sites, ({ modalityAccuracy }) => modalityAccuracy),
    featureRank: weightedMean(sites, ({ featureRank }) => featureRank) ?? 0,
  };
}

interface Counted {
  readonly patches: number;
}

function patchesOf(parts: readonly Counted[]): number {
  return parts.reduce((sum, { patches }) => sum + patches, 0);
}

/** Over the parts that have the figure; undefined when none has. */
function weightedMean<T extends Counted>(parts: readonly T[], figure: (part: T) => number | undefined): number | undefined {
  const known = parts.flatMap((part) => {
    const value = figure(part);
    return value === undefined ? [] : [{ patches: part.patches, value }];
  });
  if (known.length === 0) return undefined;
  return known.reduce((sum, { patches, value }) => sum + patches * value, 0) / patchesOf(known);
}
