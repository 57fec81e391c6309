import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalOf } from '../../../../test/fixtures/refusal.js';
import { readSplitTable } from './split-table.js';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'split-table-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function table(text: string): string {
  const path = join(folder, 'cases.csv');
  writeFileSync(path, text);
  return path;
}

describe('split table', () => {
  it('reads columns in any order, quotes, empty cells and lines, and says where each row stands', () => {
    const rows = readSplitTable(table('\uFEFFsplit,note,image,patient\r\ntrain,"a, ""b""\nc","x,1.nii",p1\r\n\r\n,,y.nii,\n'));
    expect(rows).toEqual([
      { row: { image: 'x,1.nii', split: 'train', patient: 'p1' }, place: 'cases.csv line 2' },
      { row: { image: 'y.nii' }, place: 'cases.csv line 5' },
    ]);
  });

  it.each([';', '\t'])('takes "%s" between the cells', (mark) => {
    const text = [
      ['image', 'class', 'i', 'j', 'k', 'frame'],
      ['a,b.nii', '1', '3', '4', '5', '2'],
    ];
    const [row] = readSplitTable(table(text.map((cells) => cells.join(mark)).join('\n')));
    expect(row?.row).toEqual({ image: 'a,b.nii', class: '1', frame: 2, centre: [3, 4, 5] });
  });

  it('says which columns there are where none is called image', () => {
    expect(refusalOf(() => readSplitTable(table('Path,class\na.nii,0\n')))).toMatchObject({
      message: expect.stringContaining('there is no column image') as string,
      remedy: expect.stringMatching(/Path, class\..*columns: \{ image: NAME/) as string,
    });
    expect(refusalOf(() => readSplitTable(table('image,class\n,0\n'))).message).toContain('image: it is empty');
  });

  it('takes columns by names of their own', () => {
    const columns = { image: 'path', class: 'label', centre: ['x', 'y', 'z'] as [string, string, string] };
    const [row] = readSplitTable(table('path,label,x,y,z\na.nii,0,1,2,3\n'), columns);
    expect(row?.row).toMatchObject({ image: 'a.nii', class: '0', centre: [1, 2, 3] });
  });

  it('takes CT and MR from a column "modality", and nothing from other words there', () => {
    const rows = readSplitTable(table('image,modality\na.nii,ct\nb.nii,MRI\nc.nii,T1\nd.nii,\n'));
    expect(rows.map(({ row }) => row)).toEqual([
      { image: 'a.nii', modality: 'CT' },
      { image: 'b.nii', modality: 'MR' },
      { image: 'c.nii' },
      { image: 'd.nii' },
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['a row that is too long', 'image,class\na.nii,1\nb.nii,1,2\n', /cases\.csv line 3: it has 3 cells, the header 2/],
    ['a row without an image', 'image,class\n,1\n', /cases\.csv line 2: image/],
    ['a frame that is no number', 'image,frame\na.nii,first\n', /cases\.csv line 2: frame: .*first/],
    ['half a centre', 'image,i,j,k\na.nii,1,,3\n', /cases\.csv line 2: the centre needs i, j, k/],
    ['an open quote', 'image,class\na.nii,1\n"b.nii,2\n', /cases\.csv line 3: a quote/],
    ['no rows', 'image,class\n', /holds no case/],
  ])('refuses %s', (_, text, message) => {
    expect(() => readSplitTable(table(text))).toThrow(message);
    expect(() => readSplitTable(table(text))).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }) as Error);
  });

  it('refuses a column that was named and is not there, and a file that is not there', () => {
    expect(() => readSplitTable(table('image\na.nii\n'), { class: 'label' })).toThrow(/no column label/);
    expect(() => readSplitTable(join(folder, 'none.csv'))).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
  });
});
