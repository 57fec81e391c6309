import type { DicomFacts } from '../volumes/dicom/dicom-facts.js';

/** Headers of series that are still to be assembled. Above the limit the longest kept series are dropped, to be read again. */
export class FactsCache {
  private readonly series = new Map<string, Map<string, DicomFacts>>();
  private count = 0;

  constructor(private readonly mostFiles = 20_000) {}

  add(owner: string, facts: DicomFacts): void {
    const files = this.series.get(owner) ?? new Map<string, DicomFacts>();
    this.series.delete(owner);
    this.series.set(owner, files);
    if (!files.has(facts.path)) this.count++;
    files.set(facts.path, facts);
    while (this.count > this.mostFiles && this.series.size > 1) this.take(this.series.keys().next().value ?? '');
  }

  /** What is still known of a series; it is forgotten here. */
  take(owner: string): ReadonlyMap<string, DicomFacts> {
    const files = this.series.get(owner) ?? new Map<string, DicomFacts>();
    this.series.delete(owner);
    this.count -= files.size;
    return files;
  }
}
