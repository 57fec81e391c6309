import { type ErrorCode, FederationError, isErrorCode } from '@consilium/shared/kernel';
import {
  type Progress,
  progressSchema,
  type ScoreReport,
  scoreReportSchema,
  syncRequestSchema,
  type UpdateOffer,
  updateOfferSchema,
} from '@consilium/shared/wire';
import { z } from 'zod';

/** What coordinators draw: a kind and random digits. Longer or other texts could carry something. */
const identifierField = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const uploadField = z.string().regex(/^[A-Za-z0-9._~%-]{1,128}$/);

const endSchema = z.strictObject({
  participationId: identifierField,
  // A code that the table knows: no text of anybody's can hide in it.
  code: z.custom<ErrorCode>(isErrorCode),
});

/** Everything that an agent says, by what it is: strict, bounded, numbers finite. Nothing else has a way out. */
const MESSAGES = {
  'a question for work': syncRequestSchema,
  'an acceptance': z.strictObject({ participationId: identifierField }),
  'a refusal of an invitation': endSchema,
  'a failure': endSchema,
  progress: progressSchema.extend({ participationId: identifierField }),
  'an offer': updateOfferSchema.extend({ participationId: identifierField, uploadId: uploadField }),
  'a score': scoreReportSchema.extend({ campaignId: identifierField }),
} as const;
export type MessageKind = keyof typeof MESSAGES;

interface Sent {
  'a question for work': { restsForMs?: number | undefined };
  'an acceptance': { participationId: string };
  'a refusal of an invitation': { participationId: string; code: string };
  'a failure': { participationId: string; code: string };
  progress: Progress;
  'an offer': UpdateOffer;
  'a score': ScoreReport;
}

/**
 * Throws EGRESS_REFUSED unless the message is of its strict form. The error names the field that is wrong where the form knows it, and
 * never repeats what stands there.
 */
export function requireMessage<Kind extends MessageKind>(kind: Kind, message: Sent[Kind]): void {
  const result = MESSAGES[kind].safeParse(message);
  if (result.success) return;
  const [issue] = result.error.issues;
  const path = issue?.path ?? [];
  const field = path.every((part) => typeof part === 'number' || /^[A-Za-z]{1,32}$/.test(String(part))) ? path.join('.') : '';
  const what =
    issue?.code === 'unrecognized_keys' ? 'it has a field that no such message has' : `"${field}" is not what it may be`;
  throw new FederationError('EGRESS_REFUSED', `${kind} does not leave this site: ${what}`, {
    details: { field },
    remedy: 'This is a bug of the agent, or somebody has changed its software.',
  });
}
