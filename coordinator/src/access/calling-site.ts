import type { IncomingMessage } from 'node:http';
import type { Site } from '../sites/site.entity.js';

const callers = new WeakMap<IncomingMessage, Site>();

/** Of a site that was let in with this request. */
export function rememberSite(request: IncomingMessage, site: Site): void {
  callers.set(request, site);
}

/** The site that was let in with a request; undefined where it is of nobody's, or of an operator's. */
export function siteCalling(request: IncomingMessage): Site | undefined {
  return callers.get(request);
}
