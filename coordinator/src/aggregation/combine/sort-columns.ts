/** Above so many values the runtime's own sort is quicker. */
const INSERTION_LIMIT = 24;

/**
 * Calls `use` for every place of the arrays with the values that stand there, sorted; the array of values is reused.
 * `−0` and `0` are equal, in no particular order.
 */
export function forSortedColumns(arrays: readonly Float32Array[], use: (sorted: Float64Array, place: number) => void): void {
  const values = new Float64Array(arrays.length);
  const elements = arrays[0]?.length ?? 0;
  for (let place = 0; place < elements; place++) {
    if (arrays.length > INSERTION_LIMIT) sortColumn(arrays, place, values);
    else insertColumn(arrays, place, values);
    use(values, place);
  }
}

function sortColumn(arrays: readonly Float32Array[], place: number, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) values[i] = (arrays[i] as Float32Array)[place] as number;
  values.sort();
}

function insertColumn(arrays: readonly Float32Array[], place: number, values: Float64Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = (arrays[i] as Float32Array)[place] as number;
    let at = i;
    for (; at > 0 && (values[at - 1] as number) > value; at--) values[at] = values[at - 1] as number;
    values[at] = value;
  }
}
