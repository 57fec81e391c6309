import type { IncomingMessage } from 'node:http';
import { type Clock, FederationError } from '@consilium/shared/kernel';
import { SITE_NAMESPACE } from '@consilium/shared/wire';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { limitMessages } from '../limits/limit-messages.js';
import { RequestLimits } from '../limits/request-limits.js';
import { CLOCK } from '../ports.js';

type Options = Parameters<IoAdapter['createIOServer']>[1];
type Decision = (reason: string | null, isAllowed: boolean) => void;

/** Control messages are small; anything larger is no control message. */
const LARGEST_MESSAGE_BYTES = 256 * 1024;

/** socket.io with short heartbeats, so that a dead site is noticed within seconds, and with bounds on what is sent. */
export class SocketAdapter extends IoAdapter {
  private readonly limits: RequestLimits;
  private readonly clock: Clock;

  constructor(
    app: INestApplicationContext,
    private readonly config: CoordinatorConfig,
  ) {
    super(app);
    this.limits = app.get(RequestLimits);
    this.clock = app.get<Clock>(CLOCK);
  }

  override createIOServer(port: number, options?: Options): ReturnType<IoAdapter['createIOServer']> {
    const limits = {
      pingInterval: this.config.heartbeatIntervalMs,
      pingTimeout: this.config.heartbeatTimeoutMs,
      maxHttpBufferSize: LARGEST_MESSAGE_BYTES,
      connectTimeout: this.config.limits.requestTimeoutMs, // for a caller that does not say who it is
      allowRequest: (request: IncomingMessage, decide: Decision) => decide(...this.decide(request)),
      serveClient: false,
    };
    const server = super.createIOServer(port, { ...options, ...limits } as Options);
    const { messagesPerSite } = this.config.limits;
    server.of(SITE_NAMESPACE).on('connection', (socket) => limitMessages(socket, messagesPerSite, this.clock, this.limits));
    return server;
  }

  /** Each request of a connection, those of long polling too: socket.io answers them before anything of ours could. */
  private decide(request: IncomingMessage): [reason: string | null, isAllowed: boolean] {
    try {
      this.limits.requireAddress(request);
      return [null, true];
    } catch (thrown) {
      return [FederationError.from(thrown).message, false];
    }
  }
}
