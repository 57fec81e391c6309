/** True for names that begin with the text; with `*` in it, which stands for any characters, for names that it fits whole. */
export function nameMatcher(match: string): (name: string) => boolean {
  if (!match.includes('*')) return (name) => name.startsWith(match);
  const escaped = match.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^${escaped.join('.*')}$`);
  return (name) => pattern.test(name);
}
