import type { FederationError } from '@consilium/shared/kernel';
import { Injectable } from '@nestjs/common';
import type { Socket } from 'socket.io';

/** Which sites are connected now: one live connection per identity. Only in memory: a restart starts from nobody. */
@Injectable()
export class Presence {
  private readonly sockets = new Map<string, Socket>();

  isConnected(siteId: string): boolean {
    return this.sockets.has(siteId);
  }

  /** False when another connection of this site is alive. */
  claim(siteId: string, socket: Socket): boolean {
    if (this.sockets.has(siteId)) return false;
    this.sockets.set(siteId, socket);
    return true;
  }

  release(siteId: string, socket: Socket): void {
    if (this.sockets.get(siteId) === socket) this.sockets.delete(siteId);
  }

  /** "Something changed, sync": a site that misses it asks by its own clock. */
  nudge(siteIds: Iterable<string>): void {
    for (const siteId of siteIds) this.sockets.get(siteId)?.emit('site:nudge');
  }

  /** Tells the site why and closes its connection. */
  refuse(siteId: string, error: FederationError): void {
    const socket = this.sockets.get(siteId);
    if (socket === undefined) return;
    this.sockets.delete(siteId);
    socket.emit('site:refused', error.toReport());
    socket.disconnect(true);
  }

  /**
   * Waits for a sign of life (a heartbeat or any message) from the site's present connection. A connection whose network is
   * gone gives none: it is dropped, so that the same agent can come back before the heartbeat limit.
   */
  async isHeldByLiveAgent(siteId: string, withinMs: number): Promise<boolean> {
    const socket = this.sockets.get(siteId);
    if (socket === undefined) return false;
    const isAlive = await hasSignOfLife(socket, withinMs);
    if (!isAlive) {
      this.release(siteId, socket);
      socket.disconnect(true);
    }
    return isAlive;
  }
}

function hasSignOfLife(socket: Socket, withinMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (isAlive: boolean) => {
      clearTimeout(timer);
      socket.conn.off('packet', onPacket);
      socket.conn.off('close', onClose);
      resolve(isAlive);
    };
    const onPacket = () => end(true);
    const onClose = () => end(false);
    const timer = setTimeout(() => end(false), withinMs);
    socket.conn.on('packet', onPacket);
    socket.conn.on('close', onClose);
  });
}
