import { type AlarmClock, FederationError } from '@consilium/shared/kernel';
import { OPERATOR_NAMESPACE, parseWith } from '@consilium/shared/wire';
import { type BeforeApplicationShutdown, Inject } from '@nestjs/common';
import { type OnGatewayInit, WebSocketGateway } from '@nestjs/websockets';
import type { Namespace, Socket } from 'socket.io';
import { z } from 'zod';
import { OperatorTokens } from '../access/operator-tokens.js';
import { CLOCK } from '../ports.js';
import { CampaignEvents } from './campaign-events.js';

const handshakeSchema = z.object({ token: z.string() });

/** How soon a connection ends whose token has expired; one whose token was revoked ends at once. */
const LOOK_AGAIN_MS = 5_000;

/** Hands every campaign event to the operators who watch. Watching is reading: every role may. */
@WebSocketGateway({ namespace: OPERATOR_NAMESPACE })
export class OperatorGateway implements OnGatewayInit<Namespace>, BeforeApplicationShutdown {
  /** Tokens of those who watch. */
  private readonly watching = new Map<Socket, string>();
  private readonly endings: (() => void)[] = [];

  constructor(
    private readonly tokens: OperatorTokens,
    private readonly events: CampaignEvents,
    @Inject(CLOCK) private readonly clock: AlarmClock,
  ) {}

  afterInit(namespace: Namespace): void {
    namespace.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (thrown: unknown) => {
          const report = FederationError.from(thrown).toReport();
          next(Object.assign(new Error(report.message), { data: report }));
        },
      );
    });
    namespace.on('connection', (socket) => {
      this.watching.set(socket, tokenOf(socket));
      socket.on('disconnect', () => this.watching.delete(socket));
    });
    this.tokens.onChange(() => this.lookAgain());
    this.endings.push(
      this.events.subscribe((event) => namespace.emit('campaign:event', event)),
      this.clock.every(LOOK_AGAIN_MS, () => this.lookAgain()),
    );
  }

  beforeApplicationShutdown(): void {
    for (const end of this.endings) end();
  }

  private async admit(socket: Socket): Promise<void> {
    await this.tokens.authenticate(tokenOf(socket));
  }

  /** Closes the connections of those who would not be let in any more. */
  private lookAgain(): void {
    for (const [socket, token] of this.watching) {
      this.tokens.authenticate(token).catch((thrown: unknown) => {
        const error = FederationError.from(thrown);
        // Only a refusal closes it: a database that is away for a moment says nothing about the token.
        if (error.code === 'OPERATOR_REFUSED') socket.disconnect(true);
      });
    }
  }
}

function tokenOf(socket: Socket): string {
  return parseWith(handshakeSchema, socket.handshake.auth, 'OPERATOR_REFUSED', 'the handshake').token;
}
