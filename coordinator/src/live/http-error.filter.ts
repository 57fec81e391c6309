import { FederationError } from '@consilium/shared/kernel';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Response } from 'express';
import { Log } from '../log.js';
import { challengeOf, httpStatusOf } from './http-status.js';

/** The one place where errors become HTTP answers: the status of their kind and the report as JSON. */
@Catch()
export class HttpErrorFilter implements ExceptionFilter {
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log.part('live');
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const error = fromFramework(thrown) ?? FederationError.from(thrown);
    if (error.code === 'INVARIANT') this.log.error(`a request failed: ${error.message}`, thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response
      .status(httpStatusOf(error))
      .set(challengeOf(error))
      .json({ ...error.toReport(), ...(error.remedy === undefined ? {} : { remedy: error.remedy }) });
  }
}

// Unknown routes and bodies that are not JSON are refused by the framework before they reach us.
function fromFramework(thrown: unknown): FederationError | undefined {
  if (!(thrown instanceof HttpException)) return undefined;
  const code = thrown.getStatus() === 404 ? 'NOT_FOUND' : 'MESSAGE_REFUSED';
  return new FederationError(code, thrown.message, { cause: thrown });
}
