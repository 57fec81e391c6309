/**
 * Control characters, marks that turn the direction of writing, invisible joiners and halves of surrogate pairs: a file name
 * with them could rewrite the terminal or show another name than it has.
 */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** The text with everything invisible spelled out, such as "\u{1b}". */
export function visibleText(text: string): string {
  return text.replace(INVISIBLE, (mark) => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`);
}

/** Text for HTML elements and quoted attributes. */
export function htmlText(text: string): string {
  return visibleText(text).replace(/[&<>"']/g, (mark) => ENTITIES[mark] ?? '');
}
