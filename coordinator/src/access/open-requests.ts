import type { ServerResponse } from 'node:http';
import { Injectable } from '@nestjs/common';

/** Requests of sites that are being answered, so that a revocation ends them too: an upload may take hours. */
@Injectable()
export class OpenRequests {
  private readonly answers = new Map<string, Set<ServerResponse>>();

  /** How many of the site's requests are being answered. */
  countOf(siteId: string): number {
    return this.answers.get(siteId)?.size ?? 0;
  }

  /** Known until its answer is over, whichever way. */
  track(siteId: string, response: ServerResponse): void {
    const answers = this.answers.get(siteId) ?? new Set();
    this.answers.set(siteId, answers.add(response));
    response.once('close', () => {
      answers.delete(response);
      if (answers.size === 0 && this.answers.get(siteId) === answers) this.answers.delete(siteId);
    });
  }

  /** Cuts what a site is sending and fetching; what has arrived stays. */
  cut(siteId: string): void {
    for (const response of this.answers.get(siteId) ?? []) response.destroy();
  }
}
