import { connect, createServer, type Server as Listener, type Socket } from 'node:net';

/** What the link does: carries bytes, is cut (connections die, new ones are refused), or is silent (nothing moves, nothing ends). */
export type LinkCondition = 'open' | 'cut' | 'silent';

/** A loopback relay in front of the coordinator: a site's link that can be cut or silenced, and whose bytes are counted. */
export class Relay {
  /** From the sites to the coordinator, and back; everything that crossed the sockets, headers included. */
  bytesUp = 0;
  bytesDown = 0;
  /** Hears each piece on its way to the coordinator. */
  onUp: ((piece: Buffer) => void) | undefined;
  private condition: LinkCondition = 'open';
  private readonly connections = new Set<Connection>();

  private constructor(
    private readonly listener: Listener,
    private readonly targetPort: number,
  ) {}

  static async open(targetPort: number): Promise<Relay> {
    const listener = createServer();
    const relay = new Relay(listener, targetPort);
    listener.on('connection', (near) => relay.accept(near));
    await new Promise<void>((settle, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', settle);
    });
    return relay;
  }

  get url(): string {
    const address = this.listener.address();
    if (address === null || typeof address === 'string') throw new Error('the relay is not listening');
    return `http://127.0.0.1:${address.port}`;
  }

  /** Takes effect on open connections too. */
  become(condition: LinkCondition): void {
    this.condition = condition;
    for (const connection of [...this.connections]) {
      if (condition === 'cut') connection.end();
      else connection.hold(condition === 'silent');
    }
  }

  async close(): Promise<void> {
    for (const connection of [...this.connections]) connection.end();
    await new Promise((settle) => this.listener.close(settle));
  }

  private accept(near: Socket): void {
    if (this.condition === 'cut') return void near.destroy();
    const connection = new Connection(
      near,
      connect(this.targetPort, '127.0.0.1'),
      {
        up: (piece) => {
          this.bytesUp += piece.length;
          this.onUp?.(piece);
        },
        down: (piece) => (this.bytesDown += piece.length),
      },
      () => this.connections.delete(connection),
    );
    this.connections.add(connection);
    connection.hold(this.condition === 'silent');
  }
}

/** Two sockets that hand each other's bytes on; both end when one does. */
class Connection {
  private isHeld = false;

  constructor(
    private readonly near: Socket,
    private readonly far: Socket,
    count: { up: (piece: Buffer) => void; down: (piece: Buffer) => void },
    private readonly onEnd: () => void,
  ) {
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.end());
      socket.on('close', () => this.end());
    }
    this.forward(near, far, count.up);
    this.forward(far, near, count.down);
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    for (const socket of [this.near, this.far]) {
      if (isHeld) socket.pause();
      else socket.resume();
    }
  }

  end(): void {
    this.near.destroy();
    this.far.destroy();
    this.onEnd();
  }

  private forward(from: Socket, to: Socket, count: (piece: Buffer) => void): void {
    from.on('data', (piece: Buffer) => {
      count(piece);
      if (to.write(piece)) return;
      from.pause();
      to.once('drain', () => {
        if (!this.isHeld) from.resume();
      });
    });
    from.on('end', () => to.end());
  }
}
