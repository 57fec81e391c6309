/** Searches of an archive by QIDO-RS, DICOM PS3.18 section 10.6. */
import { FederationError } from '@consilium/shared/kernel';
import type { ArchiveLink } from './archive-link.js';
import { countOf, type DicomJson, JSON_TAG, readObjects, textOf, uidOf } from './dicom-json.js';
import { type ArchivedSeries, judgeSeries, type SeriesFilter } from './series-filter.js';

type Query = readonly (readonly [string, string])[];

export interface SearchResult {
  readonly wanted: readonly ArchivedSeries[];
  /** Left out, because the archive does not say what they were to be chosen by. */
  readonly unstated: number;
}

/** Asked for at a time. Archives may answer with fewer. */
const PAGE_SIZE = 500;
/** A list that does not end is no list. */
const MOST_PAGES = 100_000;
const ASKED_FOR = [JSON_TAG.bodyPart, JSON_TAG.instances, JSON_TAG.examinationDate, JSON_TAG.modality];

/**
 * The series of an archive that pass the filter, in the archive's order. What the archive has filtered is looked at again, for some
 * ignore what they do not know; where it does not state an attribute of a series, one of its images is asked.
 */
export async function searchSeries(
  link: ArchiveLink,
  filter: SeriesFilter,
  onProgress?: (seen: number) => void,
): Promise<SearchResult> {
  const seen = new Set<string>();
  const wanted: ArchivedSeries[] = [];
  let unstated = 0;
  for await (const found of listSeries(link, filter)) {
    if (seen.has(found.series)) continue;
    seen.add(found.series);
    onProgress?.(seen.size);
    let verdict = judgeSeries(found, filter);
    const known = verdict === 'unstated' ? await askOneInstance(link, found) : found;
    verdict = judgeSeries(known, filter);
    if (verdict === 'wanted') wanted.push(known);
    if (verdict === 'unstated') unstated++;
  }
  return { wanted, unstated };
}

/** Unique identifiers of the instances of a series. */
export async function listInstances(link: ArchiveLink, { examination, series }: ArchivedSeries): Promise<string[]> {
  const instances = new Set<string>();
  for await (const object of pages(link, `studies/${examination}/series/${series}/instances`, [])) {
    const instance = uidOf(object, JSON_TAG.sopInstance);
    if (instance !== undefined) instances.add(instance);
  }
  return [...instances];
}

async function* listSeries(link: ArchiveLink, filter: SeriesFilter): AsyncGenerator<ArchivedSeries> {
  let listed = 0;
  try {
    for (const query of queriesOf(filter)) {
      for await (const object of pages(link, 'series', [...query, ...ASKED_FOR.map((tag) => ['includefield', tag] as const)])) {
        listed++;
        yield* seriesOf(object);
      }
    }
  } catch (thrown) {
    const error = FederationError.from(thrown);
    const unsupported =
      ['NOT_FOUND', 'ARCHIVE_ANSWER_INVALID'].includes(error.code) && typeof error.details['status'] === 'number';
    if (listed > 0 || !unsupported) throw error;
    yield* listByExamination(link, filter, error);
  }
}

/** For archives that search series within one examination only, with the plainest questions. */
async function* listByExamination(
  link: ArchiveLink,
  filter: SeriesFilter,
  cause: FederationError,
): AsyncGenerator<ArchivedSeries> {
  let reached = false;
  try {
    for await (const object of pages(link, 'studies', dateQuery(filter))) {
      reached = true;
      const examination = uidOf(object, JSON_TAG.examination);
      if (examination === undefined) continue;
      for await (const series of pages(link, `studies/${examination}/series`, [])) yield* seriesOf({ ...object, ...series });
    }
  } catch (thrown) {
    // What answers neither question is no such service: its first word counts.
    throw reached ? thrown : cause;
  }
}

/** All objects behind a search, page by page, until a page brings nothing new. */
async function* pages(link: ArchiveLink, path: string, query: Query): AsyncGenerator<DicomJson> {
  const seen = new Set<string>();
  for (let page = 0, offset = 0; page < MOST_PAGES; page++) {
    const range: Query = [
      ['limit', String(PAGE_SIZE)],
      ['offset', String(offset)],
    ];
    const objects = await onePage(link, path, [...query, ...range], offset);
    const fresh = objects.filter((object) => !seen.has(keyOf(object)));
    if (fresh.length === 0) return;
    for (const object of fresh) seen.add(keyOf(object));
    yield* fresh;
    offset += objects.length;
  }
}

async function onePage(link: ArchiveLink, path: string, query: Query, offset: number): Promise<DicomJson[]> {
  try {
    return readObjects(await link.getJson(path, query));
  } catch (thrown) {
    // Some say "not found" for a page beyond the last.
    if (offset > 0 && thrown instanceof FederationError && thrown.code === 'NOT_FOUND') return [];
    throw thrown;
  }
}

function keyOf(object: DicomJson): string {
  const tags = [JSON_TAG.examination, JSON_TAG.series, JSON_TAG.sopInstance];
  return tags.map((tag) => textOf(object, tag) ?? '').join('/');
}

/** One question for each modality: lists of values are not understood everywhere. */
function queriesOf(filter: SeriesFilter): Query[] {
  const date = dateQuery(filter);
  if (filter.modalities.length === 0) return [date];
  return filter.modalities.map((modality) => [['Modality', modality], ...date]);
}

function dateQuery({ from, to }: SeriesFilter): Query {
  return from === undefined && to === undefined ? [] : [['StudyDate', from === to ? (from ?? '') : `${from ?? ''}-${to ?? ''}`]];
}

function* seriesOf(object: DicomJson): Generator<ArchivedSeries> {
  const examination = uidOf(object, JSON_TAG.examination);
  const series = uidOf(object, JSON_TAG.series);
  if (examination === undefined || series === undefined) return;
  yield { examination, series, ...statedIn(object), instances: countOf(object, JSON_TAG.instances) };
}

function statedIn(object: DicomJson) {
  return {
    modality: textOf(object, JSON_TAG.modality),
    bodyPart: textOf(object, JSON_TAG.bodyPart),
    date: textOf(object, JSON_TAG.examinationDate)?.replace(/[^\d]/g, ''),
    patientId: textOf(object, JSON_TAG.patientId),
  };
}

/** What the header of one image of the series says, where the list says nothing. */
async function askOneInstance(link: ArchiveLink, found: ArchivedSeries): Promise<ArchivedSeries> {
  const path = `studies/${found.examination}/series/${found.series}/instances`;
  const [first] = readObjects(await link.getJson(path, [['limit', '1']]));
  const instance = first === undefined ? undefined : uidOf(first, JSON_TAG.sopInstance);
  if (instance === undefined) return found;
  const [header = {}] = readObjects(await link.getJson(`${path}/${instance}/metadata`));
  const stated = statedIn(header);
  return {
    ...found,
    modality: found.modality ?? stated.modality,
    bodyPart: found.bodyPart ?? stated.bodyPart,
    date: found.date ?? stated.date,
    patientId: found.patientId ?? stated.patientId,
  };
}
