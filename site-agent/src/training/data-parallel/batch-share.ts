/** Neighbouring examples of each batch that one device computes. */
export interface BatchShare {
  readonly first: number;
  readonly count: number;
}

/**
 * Equal shares of a batch in the devices' order; where it does not come out even, the first ones take one example more.
 * A batch of fewer examples than devices leaves the last devices out.
 */
export function shareBatch(batchSize: number, devices: number): BatchShare[] {
  const sharers = Math.min(batchSize, devices);
  const [least, more] = [Math.floor(batchSize / sharers), batchSize % sharers];
  return Array.from({ length: sharers }, (_, i) => ({
    first: i * least + Math.min(i, more),
    count: least + (i < more ? 1 : 0),
  }));
}
