import type { Relay } from '../../../deploy/src/simulate/relay.js';

export class UploadWatch {
  /** Bytes on the coordinator's disk when the watch began, by upload. */
  readonly accepted: ReadonlyMap<string, number>;
  constructor(folder: string, relays: readonly Pick<Relay, 'onUp'>[]);
  get resentBytes(): number;
  hasGrown(): boolean;
  sizes(): Map<string, number>;
}
