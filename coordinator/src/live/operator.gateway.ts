import { FederationError } from '@consilium/shared/kernel';
import { OPERATOR_NAMESPACE, parseWith } from '@consilium/shared/wire';
import { type BeforeApplicationShutdown } from '@nestjs/common';
import { type OnGatewayInit, WebSocketGateway } from '@nestjs/websockets';
import type { Namespace } from 'socket.io';
import { z } from 'zod';
import { OperatorAccounts } from '../access/operator-accounts.js';
import { CampaignEvents } from './campaign-events.js';

const handshakeSchema = z.object({ token: z.string() });

/** Hands every campaign event to the operators who watch. */
@WebSocketGateway({ namespace: OPERATOR_NAMESPACE })
export class OperatorGateway implements OnGatewayInit<Namespace>, BeforeApplicationShutdown {
  private unsubscribe: (() => void) | undefined;

  constructor(
    private readonly operators: OperatorAccounts,
    private readonly events: CampaignEvents,
  ) {}

  afterInit(namespace: Namespace): void {
    namespace.use((socket, next) => {
      try {
        const { token } = parseWith(handshakeSchema, socket.handshake.auth, 'OPERATOR_REFUSED', 'the handshake');
        this.operators.requireOperator(token);
        next();
      } catch (thrown) {
        const report = FederationError.from(thrown).toReport();
        next(Object.assign(new Error(report.message), { data: report }));
      }
    });
    this.unsubscribe = this.events.subscribe((event) => namespace.emit('campaign:event', event));
  }

  beforeApplicationShutdown(): void {
    this.unsubscribe?.();
  }
}
