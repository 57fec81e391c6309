export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function round(value, digits = 4) {
  return value === null || value === undefined ? null : Number(value.toFixed(digits));
}

/** a / b, or null when either was not measured. */
export function ratio(a, b) {
  return a === undefined || b === undefined ? null : round(a / b, 3);
}
