import { z } from 'zod';
import { type Digest, isDigest, parseDurationMs, parseSizeBytes } from '@consilium/shared/kernel';

/** A content address. */
export const digestField = z.custom<Digest>(isDigest, { message: 'expected "sha256:" or "blake3:" and 64 hexadecimal digits' });

/** An identifier or a name that goes into file names and terminals: short, no spaces, no slashes. */
export const nameField = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'expected 1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit',
  );

export const positiveInteger = z.int().min(1);
export const fraction = z.number().min(0).max(1);

/** A duration in a file such as "90s" or "2h", kept as text; {@link parseDurationMs} compiles it. */
export const durationField = z.string().refine(
  (text) => {
    try {
      return parseDurationMs(text) > 0;
    } catch {
      return false;
    }
  },
  { message: 'expected a duration such as "90s", "15min" or "2h"' },
);

/** An amount of memory such as "2GiB", kept as text; {@link parseSizeBytes} compiles it. */
export const sizeField = z.string().refine(
  (text) => {
    try {
      return parseSizeBytes(text) > 0;
    } catch {
      return false;
    }
  },
  { message: 'expected an amount such as "2GiB" or "750MB"' },
);
