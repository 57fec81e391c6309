/** The DICOM JSON model, PS3.18 annex F, as far as answers of an archive need it. */
import { FederationError } from '@consilium/shared/kernel';

/** One object: tags as eight hexadecimal digits in capitals, each with `vr` and `Value`. */
export type DicomJson = Readonly<Record<string, unknown>>;

export const JSON_TAG = {
  sopInstance: '00080018',
  examinationDate: '00080020',
  modality: '00080060',
  patientId: '00100020',
  bodyPart: '00180015',
  examination: '0020000D',
  series: '0020000E',
  instances: '00201209',
} as const;

/** The objects of an answer; none for an empty one. ARCHIVE_ANSWER_INVALID when it is something else. */
export function readObjects(answer: unknown): DicomJson[] {
  if (answer === undefined) return [];
  const list: readonly unknown[] = Array.isArray(answer) ? answer : [answer];
  if (list.every(isObject)) return [...list];
  throw new FederationError('ARCHIVE_ANSWER_INVALID', 'the archive’s answer is no list of DICOM objects', {
    remedy: 'Check that the address is that of its DICOMweb service, often …/dicom-web or …/rs.',
  });
}

/** The first value of an attribute as text, undefined when it is absent or empty. */
export function textOf(object: DicomJson, tag: string): string | undefined {
  const attribute = object[tag];
  if (!isObject(attribute) || !Array.isArray(attribute['Value'])) return undefined;
  const value: unknown = attribute['Value'][0];
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).trim();
  return text === '' ? undefined : text;
}

/** A whole number from 0, undefined when there is none. */
export function countOf(object: DicomJson, tag: string): number | undefined {
  const count = Number(textOf(object, tag) ?? NaN);
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

/** A unique identifier; undefined unless it is digits and dots, so that it can stand in an address. */
export function uidOf(object: DicomJson, tag: string): string | undefined {
  const text = textOf(object, tag);
  return text !== undefined && /^\d[\d.]{0,127}$/.test(text) ? text : undefined;
}

function isObject(value: unknown): value is DicomJson {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
