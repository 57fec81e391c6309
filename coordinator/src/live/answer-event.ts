import { FederationError } from '@consilium/shared/kernel';
import { type Acknowledge, type Acknowledgement, parseWith } from '@consilium/shared/wire';
import type { Socket } from 'socket.io';
import type { z } from 'zod';
import type { Log } from '../log.js';

/**
 * Parse, call, acknowledge: the one wrapper of every inbound socket message. A message that does not fit its schema is refused
 * with MESSAGE_REFUSED; whatever the handler throws goes back as its report.
 */
export function answerEvent<Message, Value>(
  socket: Socket,
  log: Log,
  event: string,
  schema: z.ZodType<Message>,
  handle: (message: Message) => Promise<Value>,
): void {
  socket.on(event, (message: unknown, acknowledge?: Acknowledge<Value>) => {
    const answer = (acknowledgement: Acknowledgement<Value>): void => {
      // Foreign senders may leave the acknowledgement out or send something else in its place.
      if (typeof acknowledge === 'function') acknowledge(acknowledgement);
    };
    const work = async (): Promise<Value> => handle(parseWith(schema, message, 'MESSAGE_REFUSED', event));
    work()
      .then((value) => answer({ ok: true, value }))
      .catch((thrown: unknown) => {
        const error = FederationError.from(thrown);
        if (error.code === 'INVARIANT') log.error(`${event} failed: ${error.message}`, thrown);
        answer({ ok: false, error: error.toReport() });
      });
  });
}
