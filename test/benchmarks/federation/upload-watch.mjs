/** What was on the coordinator's disk when something was killed, and which of it was sent once more. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

export class UploadWatch {
  accepted;
  firstOffsets = new Map();

  /** Begins with the uploads as they lie in the folder now; the relays tell where each is continued (tus: PATCH, Upload-Offset). */
  constructor(folder, relays) {
    this.folder = folder;
    this.accepted = this.sizes();
    for (const relay of relays) relay.onUp = (piece) => this.look(piece);
  }

  /** Bytes that were accepted before and sent again; 0 for an upload that was not continued. */
  get resentBytes() {
    let bytes = 0;
    for (const [name, offset] of this.firstOffsets) bytes += Math.max(0, (this.accepted.get(name) ?? 0) - offset);
    return bytes;
  }

  /** True once more bytes lie there than at the start. */
  hasGrown() {
    for (const [name, size] of this.sizes()) if (size > (this.accepted.get(name) ?? 0)) return true;
    return false;
  }

  sizes() {
    const sizes = new Map();
    for (const name of readdirSync(this.folder).filter((each) => !each.includes('.'))) {
      const size = statSync(join(this.folder, name), { throwIfNoEntry: false })?.size;
      if (size !== undefined) sizes.set(name, size);
    }
    return sizes;
  }

  /** A request's head begins a piece: before it the connection waited for an answer. */
  look(piece) {
    if (piece.toString('latin1', 0, 6) !== 'PATCH ') return;
    const head = piece.toString('latin1', 0, 4096);
    const name = basename(head.split(' ', 2)[1] ?? '');
    const [, offset] = /\r\nupload-offset: *(\d+)/i.exec(head) ?? [];
    if (!this.firstOffsets.has(name)) this.firstOffsets.set(name, Number(offset));
  }
}
