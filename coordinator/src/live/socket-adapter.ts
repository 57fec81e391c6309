import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { CoordinatorConfig } from '../config/coordinator-config.js';

type Options = Parameters<IoAdapter['createIOServer']>[1];

/** Control messages are small; anything larger is no control message. */
const LARGEST_MESSAGE_BYTES = 256 * 1024;

/** socket.io with short heartbeats, so that a dead site is noticed within seconds. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly config: CoordinatorConfig,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Options): ReturnType<IoAdapter['createIOServer']> {
    const limits = {
      pingInterval: this.config.heartbeatIntervalMs,
      pingTimeout: this.config.heartbeatTimeoutMs,
      maxHttpBufferSize: LARGEST_MESSAGE_BYTES,
      serveClient: false,
    };
    return super.createIOServer(port, { ...options, ...limits } as Options);
  }
}
