import type { FederationError } from '@consilium/shared/kernel';
import type { Assignment, OfferAnswer, Progress, ScoreReport, UpdateOffer } from '@consilium/shared/wire';

export type LinkState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected' }
  /** The coordinator is away: the link tries again by itself. */
  | { readonly kind: 'waiting'; readonly retryInMs: number; readonly reason: string }
  /** The coordinator refused this agent for a reason that trying again will not cure. */
  | { readonly kind: 'refused'; readonly error: FederationError }
  | { readonly kind: 'closed' };

/**
 * The control plane as the agent sees it. Requests reject with the coordinator's refusal, or with COORDINATOR_UNREACHABLE
 * (retryable) when it is away or does not answer in time. All of them may be repeated.
 */
export interface CoordinatorLink {
  readonly state: LinkState;
  open(): void;
  close(): void;
  onState(listener: (state: LinkState) => void): void;
  /** The coordinator says that something changed: sync. */
  onNudge(listener: () => void): void;
  /** @param restsForMs time until the hours begin in which this site trains; undefined while it trains when asked. */
  sync(restsForMs?: number): Promise<Assignment | null>;
  accept(participationId: string): Promise<void>;
  decline(participationId: string, code: string): Promise<void>;
  fail(participationId: string, code: string): Promise<void>;
  progress(progress: Progress): Promise<void>;
  offer(offer: UpdateOffer): Promise<OfferAnswer>;
  reportScore(report: ScoreReport): Promise<void>;
}
