import { type Command, InvalidArgumentError } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { readCodes, readDate, type SeriesFilter } from '../collection/pacs/series-filter.js';

/** What cannot be used for training is not fetched unless it is asked for. */
const USABLE_MODALITIES = ['CT', 'MR'];

/** What `index` is told about an archive (PACS). */
export interface PacsOptions {
  readonly dicomweb?: string;
  readonly dicomwebUser?: string;
  readonly dicomwebPasswordFile?: string;
  readonly dicomwebTokenFile?: string;
  readonly pacsModality?: string;
  readonly pacsBodyPart?: string;
  readonly pacsFrom?: string;
  readonly pacsTo?: string;
  readonly pacsLimit?: number;
  readonly dryRun?: boolean;
}

/** The options with which `index` first pulls series from an archive (PACS). */
export function addPacsOptions(command: Command): Command {
  return command
    .option('--dicomweb <url>', 'pull series from this archive (PACS, by DICOMweb) into the site’s folder first')
    .option('--dicomweb-user <name>', 'user of the archive; the password comes from a file or CONSILIUM_DICOMWEB_PASSWORD')
    .option('--dicomweb-password-file <file>', 'file with the password')
    .option('--dicomweb-token-file <file>', 'file with a bearer token; or set CONSILIUM_DICOMWEB_TOKEN')
    .option('--pacs-modality <codes>', 'pull these modalities (default: CT,MR)')
    .option('--pacs-body-part <codes>', 'pull these body parts, such as HEAD,CHEST*')
    .option('--pacs-from <date>', 'pull what was acquired on this day or later, such as 2024-01-01')
    .option('--pacs-to <date>', 'pull what was acquired on this day or earlier')
    .option('--pacs-limit <count>', 'pull at most so many new series this time', parseLimit)
    .option('--dry-run', 'say how many series the archive would give; pull none');
}

/** ARGUMENT_INVALID when the archive's address is missing or wrong. True when an archive is to be asked. */
export function asksArchive(options: PacsOptions): options is PacsOptions & { readonly dicomweb: string } {
  const { dicomweb, dryRun, ...others } = options;
  if (dicomweb === undefined) {
    const named = Object.keys(others).some((name) => /^(pacs|dicomweb)/.test(name));
    if (named || dryRun === true) throw wrong('no archive is named', 'Add --dicomweb URL.');
    return false;
  }
  const url = URL.canParse(dicomweb) ? new URL(dicomweb) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw wrong('--dicomweb is no address', 'Give the root of its service, such as https://pacs.example/dicom-web');
  }
  if (url.username !== '' || url.password !== '') {
    throw wrong('--dicomweb holds credentials, which others can read there', 'Use --dicomweb-user and --dicomweb-password-file.');
  }
  return true;
}

/** Which series the options ask for. ARGUMENT_INVALID for words that are no codes or days. */
export function filterOf({ pacsModality, pacsBodyPart, pacsFrom, pacsTo }: PacsOptions): SeriesFilter {
  const from = pacsFrom === undefined ? undefined : readDate('--pacs-from', pacsFrom);
  const to = pacsTo === undefined ? undefined : readDate('--pacs-to', pacsTo);
  if (from !== undefined && to !== undefined && from > to) {
    throw new FederationError('ARGUMENT_INVALID', '--pacs-from is later than --pacs-to', { remedy: 'Exchange them.' });
  }
  return {
    modalities: pacsModality === undefined ? USABLE_MODALITIES : readCodes('--pacs-modality', pacsModality, /^[A-Z]{1,16}$/),
    bodyParts: pacsBodyPart === undefined ? [] : readCodes('--pacs-body-part', pacsBodyPart),
    from,
    to,
  };
}

function parseLimit(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError('a whole number from 1 is expected.');
}

function wrong(message: string, remedy: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', message, { remedy });
}
