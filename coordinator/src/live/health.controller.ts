import { PROTOCOL_VERSION } from '@consilium/shared/wire';
import { Controller, Get } from '@nestjs/common';

/** For whoever watches that the coordinator answers; needs no token and tells nothing. */
@Controller('api/health')
export class HealthController {
  @Get()
  health(): { status: 'ok'; protocolVersion: number } {
    return { status: 'ok', protocolVersion: PROTOCOL_VERSION };
  }
}
