import { digestOfBytes, FederationError, shortDigest } from '@consilium/shared/kernel';
import { encodeHeader, type SafetensorsHeader, type StoredTensor } from '@consilium/shared/weights';
import type { NamedTensor, UpdateContents } from './update-contents.js';

/** Room in a header for padding and metadata besides what the tensors need. */
const HEADER_BYTES_BESIDES = 2048;

/** The longest header that the file of such an update can have. */
export function longestHeader({ tensors }: UpdateContents): number {
  return encodeHeader(tensors, {}).bytes.length + HEADER_BYTES_BESIDES;
}

/**
 * Throws EGRESS_REFUSED unless the header names the tensors of the contents and no other, each with its shape and number format, says
 * nothing of itself but the known metadata with their known values, and is written as our own writer writes it: there is no place
 * left in which anything else could lie. What a stranger may have put there is not repeated, for it may be a name.
 */
export function requireContents(
  header: SafetensorsHeader,
  headerBytes: Uint8Array,
  contents: UpdateContents,
  metadata: Readonly<Record<string, string>>,
): void {
  requireTensors(header.tensors, contents);
  for (const [key, value] of Object.entries(header.metadata)) {
    if (!Object.hasOwn(metadata, key)) throw refused('its metadata have an entry that no update has');
    if (metadata[key] !== value) throw refused(`its metadata "${key}" are not those of this round`);
  }
  const plain = encodeHeader(header.tensors, header.metadata).bytes;
  if (Buffer.compare(plain, headerBytes) !== 0) throw refused('its header holds more than names, shapes and formats of tensors');
}

function requireTensors(stored: readonly StoredTensor[], { tensors, mayLack }: UpdateContents): void {
  const expected = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const names = new Set<string>();
  stored.forEach((tensor, index) => {
    const known = expected.get(tensor.name);
    if (known === undefined) {
      const name = shortDigest(digestOfBytes(tensor.name));
      throw refused(`its tensor ${index + 1}, ${inWords(tensor)} (digest of the name ${name}), is not one that the plan names`);
    }
    if (names.has(tensor.name)) throw refused(`it holds ${tensor.name} twice`);
    names.add(tensor.name);
    if (inWords(known) !== inWords(tensor))
      throw refused(`it holds ${tensor.name} as ${inWords(tensor)}, not as ${inWords(known)}`);
  });
  const lacksOptional = ![...mayLack].some((name) => names.has(name));
  const missing = tensors.find(({ name }) => !names.has(name) && !(lacksOptional && mayLack.has(name)));
  if (missing !== undefined) throw refused(`it lacks ${missing.name}`);
}

function inWords({ dtype, shape }: Pick<NamedTensor, 'dtype' | 'shape'>): string {
  return `${dtype} [${shape.join(', ')}]`;
}

/** Something was not let out of the site; the message is for the site's own log. */
export function refused(why: string): FederationError {
  return new FederationError('EGRESS_REFUSED', `the update does not leave this site: ${why}`, {
    remedy:
      'Something at this site changes what training writes: look at who can write to the site’s folder, and at the software.',
  });
}
