import { FederationError } from '@consilium/shared/kernel';

/** What a PyTorch file is that cannot be read as one: cut short, contradicting itself, or larger than any checkpoint. */
export function malformedCheckpoint(detail: string, cause?: unknown): FederationError {
  return new FederationError('WEIGHTS_MALFORMED', `the PyTorch file ${detail}`, {
    cause,
    remedy: 'The file is damaged or not a PyTorch checkpoint: fetch it again and compare its digest with the publisher’s.',
  });
}

/** A pickle that asks for something else than numbers in containers; `what` is the name that it gives. */
export function refusedPickle(what: string): FederationError {
  return new FederationError('PICKLE_REFUSED', `the PyTorch file asks for ${what}`, {
    remedy:
      'Nothing of it was run. If you trust the file, load it in PyTorch and save only its weights: torch.save(model.state_dict(), FILE).',
  });
}

/** Foreign names in messages: printable, short, on one line. */
export function shownName(name: string): string {
  const printable = name.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 80 ? `${printable.slice(0, 80)}…` : printable;
}
