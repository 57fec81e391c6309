import { FederationError } from '@consilium/shared/kernel';
import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Controller, Get } from '@nestjs/common';
import { UnitOfWork } from '../records/unit-of-work.js';

/** A database that takes longer is not ready for sites either. */
const READY_WITHIN_MS = 2_000;

interface Health {
  readonly status: 'ok';
  readonly protocolVersion: number;
}

/** For whoever watches that the coordinator answers; needs no token and tells nothing. */
@Controller()
export class HealthController {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** The process answers: restart it when this fails. */
  @Get(['api/health', 'healthz'])
  health(): Health {
    return { status: 'ok', protocolVersion: PROTOCOL_VERSION };
  }

  /** The database answers as well: send no requests while this fails. */
  @Get('readyz')
  async ready(): Promise<Health> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(notReady()), READY_WITHIN_MS);
    });
    try {
      const answered = this.unitOfWork.transact((records) => records.query('SELECT 1'));
      await Promise.race([answered, late]);
    } finally {
      clearTimeout(timer);
    }
    return this.health();
  }
}

function notReady(): FederationError {
  return new FederationError('STORAGE_FAILED', `the database has not answered within ${READY_WITHIN_MS} ms`, {
    remedy: 'See that it runs and is not overloaded.',
  });
}
