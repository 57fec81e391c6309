import { shownBodyPart, shownModality, shownPhotometric, shownSyntax } from './shown-words.js';

describe('words of a header that are shown', () => {
  it('are codes that the standard knows, and no names', () => {
    expect(['ct', ' RTSTRUCT ', undefined, 'MUELLER', 'DOE^JOHN'].map(shownModality)).toEqual([
      'CT',
      'RTSTRUCT',
      '',
      'UNKNOWN',
      'UNKNOWN',
    ]);
    expect(shownPhotometric('YBR_FULL_422')).toBe('YBR_FULL_422');
    expect(shownPhotometric('DOE JOHN')).toBe('photometric interpretation unknown');
    expect(shownSyntax('1.2.840.10008.1.2.4.100')).toBe('transfer syntax 1.2.840.10008.1.2.4.100');
    expect(shownSyntax('1.2.826.0.1.4711')).toBe('a transfer syntax of its own');
  });

  it('name a part of the body in any spelling, unless it could be the patient', () => {
    const names = ['Doe^Jane', '4711'];
    expect(['Abdomen', 'HEAD/NECK', 'T-SPINE', 'WHOLE BODY'].map((part) => shownBodyPart(part, names))).toEqual([
      'ABDOMEN',
      'HEAD/NECK',
      'T-SPINE',
      'WHOLE BODY',
    ]);
    for (const part of ['DOE', 'KNEE DOE', 'jane', 'ROE^JOHN', '19370712', '', undefined, 'A'.repeat(40)]) {
      expect(shownBodyPart(part, names)).toBeUndefined();
    }
  });
});
