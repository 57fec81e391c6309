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

describe('the columns of a table', () => {
  it('have the same digits throughout, and none that says nothing', () => {
    const html = table(['Case', 'Patient', 'HD95, mm', 'Voxels', 'Interval'], [
      ['a', '', 2, 7, '0.1 to 0.2'],
      ['b', '', 2.5, 8, '–'],
    ]); // prettier-ignore
    expect(html).toContain('<td class="number">2.000</td><td class="number">7</td><td class="interval">0.1 to 0.2</td>');
    expect(html).not.toContain('Patient');
    expect(table(['Case', 'Patient'], [])).toContain('Patient');
  });
});

describe('cases that could not be scored', () => {
  it('are listed with the reason, and not mentioned when there are none', () => {
    expect(refusedSection({ refused: [{ name: 'p07', reason: 'no voxels' }] })).toContain('<td>p07</td><td>no voxels</td>');
    expect(refusedSection({ refused: [] })).toBe('');
  });
});
