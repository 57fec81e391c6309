import { refusedSection, table } from './page.js';

describe('a table', () => {
  it('shows words as words, whatever a file was called', () => {
    const html = table(['Case', 'Dice'], [['<img src=x onerror=alert(1)>', 0.5]]);
    expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
    expect(html).not.toContain('<img');
  });

  it('puts numbers to the right and a dash where there is none', () => {
    expect(table(['Dice'], [[0.5], [null]])).toContain('<td class="number">0.500</td></tr>\n<tr><td class="number">–</td>');
  });
});

describe('cases that could not be scored', () => {
  it('are listed with the reason, and not mentioned when there are none', () => {
    expect(refusedSection({ refused: [{ name: 'p07', reason: 'no voxels' }] })).toContain('<td>p07</td><td>no voxels</td>');
    expect(refusedSection({ refused: [] })).toBe('');
  });
});
