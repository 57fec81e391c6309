/**
 * Header text that is kept or shown to people. Fields that hold one of a few codes hold free text in damaged or badly anonymised
 * files, a patient's name among it; only what cannot be that gets through.
 */

/** Modalities of DICOM PS3.3 C.7.3.1.1.1, retired ones among them. */
const MODALITIES = new Set(
  (
    'AR AS ASMT AU BDUS BI BMD CD CF CFM CP CR CS CT CTPROTOCOL DD DF DG DM DMS DOC DS DX EC ECG EEG EMG EOG EPS ES FA FID FS ' +
    'GM HC HD IO IOL IVOCT IVUS KER KO LEN LP LS M3D MA MG MR MS NM OAM OCT OP OPM OPR OPT OPTBSV OPTENF OPV OSS OT PA PLAN ' +
    'POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF ST ' +
    'STAIN TEXTUREMAP TG US VA VF XA XAPROTOCOL XC'
  ).split(' '),
);

/** In capitals; empty when nothing is stated, and UNKNOWN for what DICOM does not define. */
export function shownModality(stated: string | undefined): string {
  const code = stated?.trim().toUpperCase() ?? '';
  return code === '' || MODALITIES.has(code) ? code : 'UNKNOWN';
}

const LONGEST_PART = 32;
const SHORTEST_NAME = 3;

/** A body part in capitals; undefined when it is no word for one or repeats a part of the names given. */
export function shownBodyPart(stated: string | undefined, names: readonly (string | undefined)[]): string | undefined {
  const part = stated?.trim().toUpperCase() ?? '';
  if (part.length > LONGEST_PART || !/^[A-Z][A-Z _/&+-]*$/.test(part)) return undefined;
  const named = new Set(names.flatMap((name) => wordsOf(name ?? '')));
  return wordsOf(part).some((word) => named.has(word)) ? undefined : part;
}

function wordsOf(text: string): string[] {
  return text
    .toUpperCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word.length >= SHORTEST_NAME);
}

/** A transfer syntax of the standard, or that it is none. */
export function shownSyntax(uid: string): string {
  return /^1\.2\.840\.10008\.[\d.]{1,40}$/.test(uid) ? `transfer syntax ${uid}` : 'a transfer syntax of its own';
}

/** How pixels are to be understood, if the standard knows it. */
export function shownPhotometric(stated: string): string {
  return /^(MONOCHROME[12]|PALETTE COLOR|RGB|HSV|ARGB|CMYK|XYB|YBR_(FULL|RCT|ICT|FULL_422|PARTIAL_42[02]))$/.test(stated)
    ? stated
    : 'photometric interpretation unknown';
}
