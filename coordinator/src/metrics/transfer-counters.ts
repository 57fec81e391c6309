import { Injectable } from '@nestjs/common';

/** Bytes of weights over the line since the start, for whoever watches. */
@Injectable()
export class TransferCounters {
  receivedBytes = 0;
  sentBytes = 0;
}
