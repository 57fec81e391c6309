import { FederationError } from '@consilium/shared/kernel';

/** A series as the archive lists it. Its identifiers stay in memory: they are needed to ask for it, and are never kept or shown. */
export interface ArchivedSeries {
  readonly examination: string;
  readonly series: string;
  readonly modality: string | undefined;
  readonly bodyPart: string | undefined;
  /** YYYYMMDD. */
  readonly date: string | undefined;
  readonly patientId: string | undefined;
  /** As the archive counts them. */
  readonly instances: number | undefined;
}

/** Which series are wanted. An empty list or an absent date asks for nothing. */
export interface SeriesFilter {
  /** In capitals, such as CT. */
  readonly modalities: readonly string[];
  /** In capitals; a * stands for any letters. */
  readonly bodyParts: readonly string[];
  /** YYYYMMDD, both included. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** Whether a series is wanted; what it does not state is named, so that it can be asked for. */
export function judgeSeries(found: ArchivedSeries, filter: SeriesFilter): 'wanted' | 'unwanted' | 'unstated' {
  const { modality, bodyPart, date } = found;
  const verdicts = [
    filter.modalities.length === 0 || (modality === undefined ? undefined : filter.modalities.includes(modality.toUpperCase())),
    filter.bodyParts.length === 0 || (bodyPart === undefined ? undefined : isPart(bodyPart, filter.bodyParts)),
    (filter.from === undefined && filter.to === undefined) ||
      (date === undefined ? undefined : date >= (filter.from ?? '') && date <= (filter.to ?? '99999999')),
  ];
  if (verdicts.includes(false)) return 'unwanted';
  return verdicts.includes(undefined) ? 'unstated' : 'wanted';
}

/** "ct, mr" → CT and MR. ARGUMENT_INVALID for words that DICOM's code strings do not allow. */
export function readCodes(option: string, text: string, pattern = /^[A-Z0-9*][A-Z0-9 _*-]{0,31}$/): string[] {
  const codes = text
    .split(',')
    .map((word) => word.trim().toUpperCase())
    .filter((word) => word !== '');
  if (codes.length > 0 && codes.every((code) => pattern.test(code))) return [...new Set(codes)];
  throw new FederationError('ARGUMENT_INVALID', `${option} ${text} is no list of codes`, {
    remedy: `Give codes as DICOM has them, with commas between, such as ${option} ${option.includes('body') ? 'HEAD,CHEST' : 'CT,MR'}`,
  });
}

/** "2024-01-31" or "20240131" → "20240131". ARGUMENT_INVALID for days that do not exist. */
export function readDate(option: string, text: string): string {
  const [, year = '', month = '', day = ''] = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(text) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (!Number.isNaN(date.getTime()) && date.getUTCDate() === Number(day)) return `${year}${month}${day}`;
  throw new FederationError('ARGUMENT_INVALID', `${option} ${text} is no date`, {
    remedy: `Give it as year, month and day: ${option} 2024-01-31`,
  });
}

function isPart(bodyPart: string, wanted: readonly string[]): boolean {
  const part = plain(bodyPart);
  return wanted.some((want) => matches(part, plain(want)));
}

/** Vendors write HEAD AND NECK, HEAD_NECK and HEADNECK. */
function plain(code: string): string {
  return code.toUpperCase().replace(/[\s_-]+/g, '');
}

function matches(text: string, pattern: string): boolean {
  const [first = '', ...others] = pattern.split('*');
  if (others.length === 0) return text === first;
  const last = others.pop() ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of others) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > text.length - last.length) return false;
    at = found + piece.length;
  }
  return true;
}
