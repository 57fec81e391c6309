export type Alignment = 'left' | 'right';

export interface TableOptions {
  /** One per column; columns whose cells are all numbers are set right by default. */
  readonly align?: readonly (Alignment | undefined)[];
}

/** Plain columns under their headers, two blanks apart, no trailing blanks; ends without a newline. */
export function formatTable(
  headers: readonly string[],
  rows: readonly (readonly (string | number)[])[],
  options: TableOptions = {},
): string {
  const widths = headers.map((header, column) => Math.max(header.length, ...rows.map((row) => String(row[column] ?? '').length)));
  const aligned = headers.map((_, column) => options.align?.[column] ?? (isNumeric(rows, column) ? 'right' : 'left'));
  const line = (cells: readonly (string | number)[]): string =>
    widths
      .map((width, column) => {
        const text = String(cells[column] ?? '');
        return aligned[column] === 'right' ? text.padStart(width) : text.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [line(headers), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

function isNumeric(rows: readonly (readonly (string | number)[])[], column: number): boolean {
  return rows.length > 0 && rows.every((row) => typeof row[column] === 'number');
}
