import { EventEmitter } from 'node:events';
import type { CampaignEvent } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';

type Listener = (event: CampaignEvent) => void;

/** What happened to campaigns, for whoever watches; published after the fact is committed. Missing one loses no state. */
@Injectable()
export class CampaignEvents {
  private readonly emitter = new EventEmitter();

  publish(events: readonly CampaignEvent[]): void {
    for (const event of events) this.emitter.emit('event', event);
  }

  /** Returns the function that unsubscribes. */
  subscribe(listener: Listener): () => void {
    this.emitter.on('event', listener);
    return () => void this.emitter.off('event', listener);
  }
}
