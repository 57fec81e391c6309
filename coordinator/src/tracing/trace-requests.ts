import type { NextFunction, Request, Response } from 'express';
import { DATA_PATHS } from '@consilium/shared/wire';
import { siteCalling } from '../access/calling-site.js';
import { operatorCalling } from '../access/require-operator.js';
import type { SpanRecorder } from './span-recorder.js';

/** Asked by machines all the time, and of no use in a trace. */
const UNTRACED = /^\/(healthz|readyz|metrics|api\/health)$/;

/** One span for each request, by OpenTelemetry's conventions for HTTP: route, status, and the role of who asked. No query, no body. */
export function traceRequests(spans: SpanRecorder): (request: Request, response: Response, next: NextFunction) => void {
  return (request, response, next) => {
    const path = request.path;
    if (UNTRACED.test(path) || path.startsWith('/socket.io')) return next();
    const { method } = request;
    const sinceMs = Date.now();
    response.once('close', () => {
      const route = path.startsWith(DATA_PATHS.uploads) ? DATA_PATHS.uploads : routeOf(request);
      const { statusCode } = response;
      const facts = {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': statusCode,
        'consilium.role': roleOf(request),
        'consilium.site': siteCalling(request)?.name,
        'consilium.cut': response.writableFinished ? undefined : true,
      };
      // Only now is the route known that names it.
      const span = spans.open(route === undefined ? method : `${method} ${route}`, { answers: true, atMs: sinceMs, facts });
      span.end(Date.now(), statusCode >= 500 ? String(statusCode) : undefined);
    });
    next();
  };
}

/** The pattern, never the address itself: names of sites and campaigns stand in that. Undefined where nothing answered. */
function routeOf(request: Request): string | undefined {
  const route = (request as { route?: { path?: unknown } }).route?.path;
  return typeof route === 'string' ? route : undefined;
}

function roleOf(request: Request): string {
  const site = siteCalling(request);
  return site === undefined ? (operatorCalling(request)?.role ?? 'anybody') : 'site';
}
