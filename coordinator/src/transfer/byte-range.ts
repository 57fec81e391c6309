/** What a request asks of a file: bytes [from, to), all of it, or a part that it does not have. */
export type RequestedBytes =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  | { readonly kind: 'outside' };

/**
 * Reads a Range header (RFC 9110, section 14): one range from a start, of a span or of the last bytes. Several ranges at once,
 * other units and malformed ones count as no range at all, as the standard allows.
 */
export function requestedBytes(range: string | undefined, size: number): RequestedBytes {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range?.replaceAll(/\s/g, '') ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (match === null || (first === '' && last === '')) return { kind: 'whole' };
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'outside' } : { kind: 'part', from: size - length, to: size };
  }
  const from = Number(first);
  const to = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < from) return { kind: 'whole' };
  return from >= size ? { kind: 'outside' } : { kind: 'part', from, to };
}
