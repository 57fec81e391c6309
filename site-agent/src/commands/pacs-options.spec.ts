import { asksArchive, filterOf, type PacsOptions } from './pacs-options.js';

describe('asksArchive', () => {
  it('is asked by an address alone', () => {
    expect(asksArchive({})).toBe(false);
    expect(asksArchive({ dicomweb: 'https://pacs.example/dicom-web', dryRun: true })).toBe(true);
  });

  it.each<[PacsOptions, RegExp]>([
    [{ dicomweb: 'pacs.example/rs' }, /no address/],
    [{ dicomweb: 'file:///etc/passwd' }, /no address/],
    [{ dicomweb: 'https://ann:secret@pacs.example/rs' }, /^(?!.*secret).*credentials/],
    [{ pacsModality: 'CT' }, /no archive is named/],
    [{ dicomwebUser: 'ann' }, /no archive is named/],
    [{ dryRun: true }, /no archive is named/],
  ])('refuses %j', (options, reason) => {
    expect(() => asksArchive(options)).toThrow(
      expect.objectContaining({ code: 'ARGUMENT_INVALID', message: expect.stringMatching(reason) as string }) as Error,
    );
  });
});

describe('filterOf', () => {
  it('asks for what can be used, unless told otherwise', () => {
    expect(filterOf({})).toEqual({ modalities: ['CT', 'MR'], bodyParts: [], from: undefined, to: undefined });
    expect(filterOf({ pacsModality: 'pt', pacsBodyPart: 'head,CHEST*', pacsFrom: '2024-01-02', pacsTo: '20240102' })).toEqual({
      modalities: ['PT'],
      bodyParts: ['HEAD', 'CHEST*'],
      from: '20240102',
      to: '20240102',
    });
  });

  it.each([
    [{ pacsFrom: '2024-02-30' }, /no date/],
    [{ pacsFrom: '2024-02-03', pacsTo: '2024-02-02' }, /later than/],
    [{ pacsModality: 'C*' }, /no list of codes/],
  ])('refuses %j', (options, reason) => {
    expect(() => filterOf(options)).toThrow(reason);
  });
});
