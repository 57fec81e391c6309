/** One value of a table for spreadsheets: numbers with six digits, nothing for what is not there, text in quotes where needed. */
export function csvCell(value: string | number | null): string {
  if (value === null || (typeof value === 'number' && Number.isNaN(value))) return '';
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

export function csvTable(headers: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  return `${[headers, ...rows].map((row) => row.map(csvCell).join(',')).join('\n')}\n`;
}
