import { openPrepared, type PreparedReader } from './open-prepared.js';
import type { PreparedVolume } from './prepared-volume.js';

/** Files that a thread keeps open at once: far below what systems allow a process. */
const MOST_OPEN = 64;

/** Readers of many volumes; the one used longest ago is closed when there are too many. For one thread. */
export class ReaderPool {
  private readonly readers = new Map<string, PreparedReader>();

  constructor(private readonly mostOpen = MOST_OPEN) {}

  /** The reader of a volume, to be used before another is asked for. STORAGE_FAILED when its file is gone or damaged. */
  reader(volume: PreparedVolume): PreparedReader {
    const reader = this.readers.get(volume.file) ?? openPrepared(volume);
    this.readers.delete(volume.file);
    this.readers.set(volume.file, reader); // a Map keeps the order of insertion: the last is the newest
    for (const [file, oldest] of this.readers) {
      if (this.readers.size <= this.mostOpen) break;
      oldest.close();
      this.readers.delete(file);
    }
    return reader;
  }

  close(): void {
    for (const reader of this.readers.values()) reader.close();
    this.readers.clear();
  }
}
