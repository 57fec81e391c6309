import { validateHeaderValue } from 'node:http';
import { connect as connectPlain, type ConnectOpts, isIP, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { connect as connectSecure } from 'node:tls';
import type { HttpOrder, StreamedAnswer } from './http-order.js';
import { ReceiveRing } from './receive-ring.js';
import { HeadReader, OTHER_FORM, type ResponseHead } from './response-head.js';

/** What one read of the socket takes at most; four of them fit a processor's own cache, which matters more than their number. */
const READ_BYTES = 256 * 1024;
const RING_BYTES = 4 * READ_BYTES;

/**
 * Asks for something large over a connection of its own and receives the body through one {@link ReceiveRing}: Node's HTTP
 * allocates a buffer for every read, and collecting those takes longer than reading. Resolves with undefined when the answer has
 * another form than the plain one and should be asked for by other means; rejects with the system's error when the connection
 * breaks.
 */
export function streamPlainly(order: HttpOrder): Promise<StreamedAnswer | undefined> {
  return new Promise((resolve, reject) => {
    new StreamedBody(order, resolve).on('error', reject);
  });
}

class StreamedBody extends Readable {
  private readonly ring = new ReceiveRing(RING_BYTES, READ_BYTES);
  private readonly headReader = new HeadReader();
  private head: ResponseHead | undefined;
  private left = 0;
  private isHeldBack = false;
  private readonly socket: Socket;
  private readonly onAbort = (): void => void this.destroy(new Error('the request was aborted'));

  constructor(
    private readonly order: HttpOrder,
    private readonly onHead: (answer: StreamedAnswer | undefined) => void,
  ) {
    super({ highWaterMark: RING_BYTES });
    const request = requestText(order);
    order.signal.addEventListener('abort', this.onAbort);
    const onread = {
      buffer: () => this.ring.region(),
      callback: (length: number, bytes: Buffer) => this.receive(bytes.subarray(0, length)),
    };
    this.socket = connectTo(order, onread);
    this.socket.setTimeout(order.stallMs, () => this.breakOff(new Error(`nothing moved for ${order.stallMs} ms`)));
    this.socket.on('error', (cause) => this.breakOff(cause));
    this.socket.on('close', () => this.breakOff(new Error('the connection ended early')));
    this.socket.write(request);
    if (order.signal.aborted) this.onAbort();
  }

  override _read(): void {
    // The socket is held back by the ring, whose bytes are free again only when they have been used, not when they are read.
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.order.signal.removeEventListener('abort', this.onAbort);
    this.socket.destroy();
    done(error);
  }

  /** Bytes that the body gave are done with, the oldest first. */
  release(bytes: number): void {
    this.ring.release(bytes);
    if (!this.isHeldBack || !this.ring.hasRoom) return;
    this.isHeldBack = false;
    this.socket.resume();
  }

  /** What has arrived whole may still wait to be read when its connection ends. */
  private breakOff(cause: Error): void {
    if (this.head === undefined || this.left > 0) this.destroy(cause);
  }

  private receive(bytes: Buffer): boolean {
    this.ring.fill(bytes.length);
    if (this.head === undefined) this.takeHead(bytes);
    else this.takeBody(bytes);
    this.isHeldBack = !this.ring.hasRoom;
    return !this.isHeldBack; // false pauses the socket
  }

  private takeHead(bytes: Buffer): void {
    const taken = this.headReader.take(bytes);
    const headBytes = taken?.headBytes ?? bytes.length;
    this.ring.release(headBytes);
    if (taken === undefined) return;
    if (taken.head === OTHER_FORM) return this.leave();
    this.head = taken.head;
    this.left = taken.head.bodyBytes;
    const { status, headers } = this.head;
    this.onHead({ status, headers, body: this, release: (released) => this.release(released) });
    this.takeBody(bytes.subarray(headBytes));
  }

  private leave(): void {
    this.destroy();
    this.onHead(undefined);
  }

  private takeBody(bytes: Buffer): void {
    if (bytes.length > this.left) return void this.destroy(new Error('more came than the answer had announced'));
    this.left -= bytes.length;
    if (bytes.length > 0) this.push(bytes);
    if (this.left === 0) this.push(null);
  }
}

function connectTo({ url: text, line }: HttpOrder, onread: NonNullable<ConnectOpts['onread']>): Socket {
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const isSecure = url.protocol === 'https:';
  const port = Number(url.port === '' ? (isSecure ? 443 : 80) : url.port);
  const common = { host, port, onread };
  if (!isSecure) return connectPlain(common);
  return connectSecure({
    ...common,
    ...line?.tlsOptions,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
}

function requestText({ method, url, headers }: HttpOrder): string {
  const { pathname, search, host } = new URL(url);
  const lines = Object.entries(headers).map(([name, value]) => {
    validateHeaderValue(name, value);
    return `${name}: ${value}`;
  });
  return [`${method} ${pathname}${search} HTTP/1.1`, `host: ${host}`, ...lines, 'connection: close', '', ''].join('\r\n');
}
