import { type Digest, FederationError } from '@consilium/shared/kernel';

/** The answer to whoever asks for bytes that retention has dropped. @param what "version 3 of the campaign lungs" */
export function weightsDropped(what: string, digest: Digest): FederationError {
  return new FederationError('WEIGHTS_DROPPED', `the bytes of ${what} are not kept any more`, {
    details: { digest },
    remedy: 'Take a version that is kept, or the file of this digest from a backup or from a site that has pulled it.',
  });
}
