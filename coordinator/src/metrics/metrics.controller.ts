import { Controller, Get, Res, UseGuards } from '@nestjs/common';
import type { Response } from 'express';
import { NeedsRole } from '../access/needs-role.js';
import { RequireOperator } from '../access/require-operator.js';
import { Metrics } from './metrics.js';

/** For Prometheus, which sends an operator's token: the names of campaigns and sites are not for everybody. */
@Controller('metrics')
@UseGuards(RequireOperator)
@NeedsRole('read')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  async scrape(@Res() response: Response): Promise<void> {
    response.set({ 'Content-Type': this.metrics.contentType, 'Cache-Control': 'no-store' }).send(await this.metrics.text());
  }
}
