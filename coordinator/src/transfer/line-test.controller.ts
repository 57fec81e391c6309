import { type Clock, FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS, type LineTestAnswer, MOST_LINE_TEST_BYTES } from '@consilium/shared/wire';
import { Controller, HttpCode, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import { callingSite, RequireSite } from '../access/require-site.js';
import { CLOCK } from '../ports.js';
import { LineTestTurns } from './line-test-turns.js';

/** A body that takes longer is cut: whoever measures has given up before. */
const LONGEST_MS = 30_000;

/** Where a site measures how fast its line is: a body of bounded size is counted and thrown away. */
@Controller(DATA_PATHS.lineTest)
@UseGuards(RequireSite)
export class LineTestController {
  private readonly turns: LineTestTurns;

  constructor(@Inject(CLOCK) clock: Clock) {
    this.turns = new LineTestTurns(clock);
  }

  @Post()
  @HttpCode(200)
  async receive(@Req() request: Request, @Res({ passthrough: true }) response: Response): Promise<LineTestAnswer> {
    response.set('Cache-Control', 'no-store');
    requireBounded(request);
    const endTurn = this.turns.take(callingSite(request).id);
    try {
      return await countBody(request);
    } finally {
      endTurn();
    }
  }
}

/** Only a length that is announced can be refused before it comes. */
function requireBounded({ headers }: Request): void {
  const announced = headers['content-length'] ?? '';
  if (/^\d{1,15}$/.test(announced) && Number(announced) <= MOST_LINE_TEST_BYTES) return;
  throw new FederationError(
    'MESSAGE_REFUSED',
    `a test of the line must announce its size, at most ${MOST_LINE_TEST_BYTES} bytes`,
    {
      details: { limit: MOST_LINE_TEST_BYTES },
    },
  );
}

async function countBody(request: Request): Promise<LineTestAnswer> {
  const timer = setTimeout(() => request.destroy(), LONGEST_MS);
  let receivedBytes = 0;
  let firstAtMs = performance.now();
  try {
    // A body of another type than JSON comes as it is; one of JSON has been read before, and counts as nothing.
    for await (const chunk of request) {
      if (receivedBytes === 0) firstAtMs = performance.now();
      receivedBytes += (chunk as Buffer).length;
    }
  } catch (cause) {
    throw new FederationError('TRANSFER_BROKEN', 'the test of the line broke off', { cause, details: { receivedBytes } });
  } finally {
    clearTimeout(timer);
  }
  return { receivedBytes, tookMs: performance.now() - firstAtMs };
}
