import type { FederationError } from '@consilium/shared/kernel';
import type { Acknowledgement } from '@consilium/shared/wire';
import type { Namespace, Socket } from 'socket.io';
import type { Life } from './life.js';
import type { SiteLine } from './site-line.js';

type Handler = (...parts: never[]) => void;
type Admission = (socket: Socket, next: (error?: Error) => void) => void;

/** The coordinator's door for sites, as its gateway sees socket.io's. */
export class SiteDoor {
  private admit: Admission = () => undefined;
  private welcome: (socket: Socket) => void = () => undefined;

  constructor(readonly life: Life) {}

  /** What the gateway needs of a namespace. */
  get namespace(): Namespace {
    const namespace = {
      use: (admit: Admission) => (this.admit = admit),
      on: (_event: 'connection', welcome: (socket: Socket) => void) => (this.welcome = welcome),
    };
    return namespace as unknown as Namespace;
  }

  /** Somebody knocks; the answer comes when the gateway has decided. */
  knock(connection: SiteConnection, answer: (refusal: FederationError | undefined) => void): void {
    const { socket } = connection;
    this.admit(socket, (error) => {
      // As socket.io does, nobody is welcomed who has gone again while the door was being opened.
      if (error === undefined && connection.isOpenAtCoordinator) this.welcome(socket);
      answer(error === undefined ? undefined : (error as Error & { data: FederationError }).data);
    });
  }
}

/** What the site's end of a connection hears. */
export interface SiteEnd {
  readonly life: Life;
  onEvent(event: string, body: unknown): void;
  onClosed(reason: string): void;
}

/** One socket between a site and the coordinator; when an end dies or the line is silent for long, the other end hears of it. */
export class SiteConnection {
  private readonly handlers = new Map<string, Handler>();
  private readonly packetListeners = new Map<string, Set<() => void>>([
    ['packet', new Set()],
    ['close', new Set()],
  ]);
  private openAtSite = true;
  private openAtCoordinator = true;
  readonly socket: Socket;

  constructor(
    private readonly line: SiteLine,
    private readonly site: SiteEnd,
    private readonly coordinator: Life,
    auth: object,
  ) {
    this.socket = {
      handshake: { auth },
      on: (event: string, handler: Handler) => this.handlers.set(event, handler),
      emit: (event: string, body: unknown) => this.toSite(() => this.site.onEvent(event, body)),
      disconnect: () => this.closeAtCoordinator('server namespace disconnect'),
      conn: { on: this.listenToPackets, off: this.unlistenToPackets },
    } as unknown as Socket;
    const endSilence = line.onSilence(() => {
      this.closeAtSite('ping timeout');
      this.closeAtCoordinator('ping timeout');
      endSilence();
    });
    // A dead process's sockets are closed by its machine.
    site.life.onDeath(() => this.hangUp());
    coordinator.onDeath(() => {
      this.openAtCoordinator = false;
      line.bring(() => this.closeAtSite('transport close'));
    });
  }

  /** False once the coordinator has heard that this connection is over. */
  get isOpenAtCoordinator(): boolean {
    return this.openAtCoordinator;
  }

  /** A request of the site; the answer may never come. */
  request(event: string, body: unknown, answer: (acknowledgement: Acknowledgement<unknown>) => void): void {
    const sent = JSON.stringify(body);
    this.line.carry(() => {
      if (!this.openAtCoordinator || this.coordinator.isOver) return;
      this.packetListeners.get('packet')?.forEach((listener) => listener());
      const handler = this.handlers.get(event) as ((body: unknown, acknowledge: Handler) => void) | undefined;
      handler?.(JSON.parse(sent), (acknowledgement: Acknowledgement<unknown>) => {
        const answered = JSON.stringify(acknowledgement);
        this.toSite(() => answer(JSON.parse(answered) as Acknowledgement<unknown>));
      });
    });
  }

  /** The site's end is closed; the coordinator hears of it unless the line is cut. */
  hangUp(): void {
    if (!this.openAtSite) return;
    this.openAtSite = false;
    this.line.bring(() => this.closeAtCoordinator('transport close'));
  }

  private toSite(arrive: () => void): void {
    this.line.carry(() => {
      if (this.openAtSite && !this.site.life.isOver) arrive();
    });
  }

  private closeAtSite(reason: string): void {
    if (!this.openAtSite) return;
    this.openAtSite = false;
    this.site.life.ifAlive(() => this.site.onClosed(reason));
  }

  private closeAtCoordinator(reason: string): void {
    if (!this.openAtCoordinator) return;
    this.openAtCoordinator = false;
    this.coordinator.ifAlive(() => {
      this.packetListeners.get('close')?.forEach((listener) => listener());
      (this.handlers.get('disconnect') as ((reason: string) => void) | undefined)?.(reason);
    });
    this.line.bring(() => this.closeAtSite(reason));
  }

  /** Whoever asks for a sign of life hears soon: a heartbeat of the site, or that nobody is there any more. */
  private readonly listenToPackets = (event: string, listener: () => void): void => {
    this.packetListeners.get(event)?.add(listener);
    if (event !== 'packet') return;
    this.coordinator.clock.after(this.line.latencyMs(), () => {
      const isAlive = this.openAtSite && !this.line.isCut;
      this.packetListeners.get(isAlive ? 'packet' : 'close')?.forEach((one) => one());
    });
  };

  private readonly unlistenToPackets = (event: string, listener: () => void): void => {
    this.packetListeners.get(event)?.delete(listener);
  };
}
