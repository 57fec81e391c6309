import { Controller, Get } from '@nestjs/common';
import { describeApi } from './api-document.js';

@Controller('api/openapi.json')
export class ApiDocumentController {
  private readonly document = describeApi();

  @Get()
  show(): Record<string, unknown> {
    return this.document;
  }
}
