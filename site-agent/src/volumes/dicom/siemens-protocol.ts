import type { DicomAttributes } from './dicom-attributes.js';
import type { Point } from './dicom-facts.js';
import { PRIVATE, TAG } from './dicom-tags.js';
import { along, lengthOf, minus } from './patient-space.js';

/** Slices as a scanner's measurement protocol lists them. */
export interface ProtocolSlices {
  readonly count: number;
  /** Centres of the first and the last slice of the list. */
  readonly ends: readonly [first: Point, last: Point] | undefined;
}

/** Where exports keep the protocol whose private creator an anonymiser has removed. */
const UNRESERVED_TAG = 0x00291020;
const BEGIN = '### ASCCONV BEGIN';
const END = '### ASCCONV END';

/** The slices of the protocol in Siemens' private series header: its only place when anonymisers drop the image header. */
export function readProtocolSlices(attributes: DicomAttributes): ProtocolSlices | undefined {
  const tag = attributes.privateTag(PRIVATE.siemensProtocol) ?? UNRESERVED_TAG;
  const bytes = attributes.bytes(tag);
  const begin = bytes?.indexOf(BEGIN, 0, 'latin1') ?? -1;
  if (bytes === undefined || begin === -1) return undefined;
  const end = bytes.indexOf(END, begin, 'latin1');
  const values = valuesOf(bytes.toString('latin1', begin, end === -1 ? bytes.length : end));
  const count = values.get('sSliceArray.lSize');
  return count === undefined ? undefined : { count, ends: endsOf(values, count) };
}

/**
 * Towards the next tile of a mosaic: from the end of the slice list at which the first tile lies. Undefined when the protocol does not say.
 */
export function towardsNextTile({ ends }: ProtocolSlices, attributes: DicomAttributes): Point | undefined {
  const centre = centreOfPicture(attributes);
  if (ends === undefined || centre === undefined) return undefined;
  const [first, last] = ends;
  const climb = minus(last, first);
  return lengthOf(minus(centre, first)) <= lengthOf(minus(centre, last)) ? climb : minus([0, 0, 0], climb);
}

/** The position that a mosaic states is a corner of a picture that lies centred on the first tile. */
function centreOfPicture(attributes: DicomAttributes): Point | undefined {
  const [x, y, z] = attributes.numbers(TAG.imagePosition);
  const [a, b, c, d, e, f] = attributes.numbers(TAG.imageOrientation);
  const [betweenRows, betweenColumns] = attributes.numbers(TAG.pixelSpacing);
  const [rows, columns] = [attributes.number(TAG.rows), attributes.number(TAG.columns)];
  if (x === undefined || y === undefined || z === undefined || betweenRows === undefined || betweenColumns === undefined)
    return undefined;
  if (a === undefined || b === undefined || c === undefined || d === undefined || e === undefined || f === undefined)
    return undefined;
  if (rows === undefined || columns === undefined) return undefined;
  return along(along([x, y, z], [a, b, c], (columns / 2) * betweenColumns), [d, e, f], (rows / 2) * betweenRows);
}

function endsOf(values: ReadonlyMap<string, number>, count: number): ProtocolSlices['ends'] {
  const centre = (slice: number): Point => {
    const at = (axis: string): number => values.get(`sSliceArray.asSlice[${slice}].sPosition.${axis}`) ?? 0;
    return [at('dSag'), at('dCor'), at('dTra')]; // a coordinate of zero is left out
  };
  const [first, last] = [centre(0), centre(count - 1)];
  return lengthOf(minus(last, first)) > 0 ? [first, last] : undefined;
}

/** The numbers of lines such as `sSliceArray.lSize = 50`. */
function valuesOf(protocol: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [, name = '', value = ''] of protocol.matchAll(
    /^(sSliceArray\.[\w.[\]]{1,80})[ \t]*=[ \t]*([-+\d.eE]{1,40})[ \t\r]*$/gm,
  )) {
    values.set(name, Number(value));
  }
  return values;
}
