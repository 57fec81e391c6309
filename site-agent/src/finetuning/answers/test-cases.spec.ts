import { testCasesToClassify, testCasesToSegment } from './test-cases.js';

const classes = [{ name: 'liver', labels: [6] }];
const test = [
  { name: 'a', image: '/a.nii', label: '/a-label.nii' },
  { name: 'b', image: '/b.nii', label: '/b-label.nii', modality: 'CT' as const, frame: 2 },
];

describe('test cases', () => {
  it('bring the label values of their own task, not those that the model was trained with', () => {
    const [first] = testCasesToSegment({ classes, cases: { test } });
    expect(first).toEqual({ name: 'a', choice: { path: '/a.nii' }, label: { path: '/a-label.nii', classes } });
  });

  it('are of the modality that they or their task say', () => {
    const said = testCasesToSegment({ classes, modality: 'MR', cases: { test: test.slice(0, 1) } });
    expect(said[0]?.choice.modality).toBe('MR');
    const centred = testCasesToClassify({
      modality: 'CT',
      cases: { test: [{ ...test[0], name: 'a', image: '/a.nii', centre: [1, 2, 3] }] },
    });
    expect(centred).toEqual([{ name: 'a', choice: { path: '/a.nii', modality: 'CT' }, centre: [1, 2, 3] }]);
    expect(testCasesToSegment({ classes, cases: { test } })[1]?.choice).toEqual({ path: '/b.nii', modality: 'CT', frame: 2 });
  });

  it('get a picture where one is wanted', () => {
    const asked = testCasesToSegment({ classes, cases: { test } }, new Map([['b', '/out/b.png']]));
    expect(asked.map(({ overlayPath }) => overlayPath)).toEqual([undefined, '/out/b.png']);
  });
});
