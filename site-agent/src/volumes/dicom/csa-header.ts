/**
 * Siemens' CSA header, as nibabel documents it (nibabel.org, "Siemens CSA headers"): named lists of text values. Bounds are
 * checked at every step; damage ends the list.
 */
export function readCsaValues(bytes: Buffer, wanted: ReadonlySet<string>): Map<string, string[]> {
  const values = new Map<string, string[]>();
  const newer = bytes.toString('latin1', 0, 4) === 'SV10';
  let position = newer ? 8 : 0;
  const tags = readCount(bytes, position, 1024);
  position += 8;
  let older = 0; // the older form counts an item's bytes with the second tag's number of items added
  for (let tag = 0; tag < tags && position + 84 <= bytes.length; tag++) {
    const name = textOf(bytes, position, 64);
    const items = readCount(bytes, position + 76, 4096);
    position += 84;
    if (tag === 1) older = items;
    const texts: string[] = [];
    for (let item = 0; item < items && position + 16 <= bytes.length; item++) {
      const length = bytes.readInt32LE(position + (newer ? 4 : 0)) - (newer ? 0 : older);
      if (length < 0 || position + 16 + length > bytes.length) return values;
      if (wanted.has(name)) texts.push(textOf(bytes, position + 16, length));
      position += 16 + 4 * Math.ceil(length / 4);
    }
    if (wanted.has(name)) values.set(name, texts);
  }
  return values;
}

function readCount(bytes: Buffer, position: number, most: number): number {
  if (position < 0 || position + 4 > bytes.length) return 0;
  const count = bytes.readUInt32LE(position);
  return count > most ? 0 : count;
}

function textOf(bytes: Buffer, start: number, length: number): string {
  const text = bytes.toString('latin1', start, start + length);
  const end = text.indexOf('\0');
  return (end === -1 ? text : text.slice(0, end)).trim();
}
