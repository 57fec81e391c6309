import type { PrivacyFacts } from '../../volumes/dicom/dicom-facts.js';
import { privacyWarningsOf, seriesPrivacyWarnings } from './privacy-warnings.js';

const CT_IMAGE = '1.2.840.10008.5.1.4.1.1.2';
const CLEAN: PrivacyFacts = {
  identifyingAttributes: [],
  burnedInAnnotation: false,
  recognisableFeatures: false,
  deidentified: false,
};
const facts = (privacy: Partial<PrivacyFacts>, sopClass = CT_IMAGE) => ({ sopClass, privacy: { ...CLEAN, ...privacy } });

describe('privacyWarningsOf', () => {
  it('is silent on a clean header', () => expect(privacyWarningsOf(facts({ deidentified: true }))).toEqual([]));

  it('names identifying attributes in the order of the alphabet', () => {
    expect(privacyWarningsOf(facts({ identifyingAttributes: ['PatientName', 'PatientBirthDate'] }))).toEqual([
      'identifying DICOM attributes hold values: PatientBirthDate, PatientName',
    ]);
  });

  it('counts what it does not name', () => {
    const identifyingAttributes = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'];
    expect(privacyWarningsOf(facts({ identifyingAttributes }))[0]).toMatch(/A, B, C, D, E, F and 2 more$/);
  });

  it('notices a header that only claims to be de-identified', () => {
    const warnings = privacyWarningsOf(facts({ identifyingAttributes: ['PatientName'], deidentified: true }));
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/says that the identity was removed/);
  });

  it.each([
    ['burned-in text', facts({ burnedInAnnotation: true }), /burned into the pictures \(Burned In Annotation\)/],
    ['a recognisable person', facts({ recognisableFeatures: true }), /Recognizable Visual Features/],
    ['a captured screen', facts({}, '1.2.840.10008.5.1.4.1.1.7.4'), /Secondary Capture/],
  ])('warns of %s', (_title, source, expected) => {
    expect(privacyWarningsOf(source)).toEqual([expect.stringMatching(expected)]);
  });

  it('does not take another class for a captured screen', () => {
    expect(privacyWarningsOf(facts({}, '1.2.840.10008.5.1.4.1.1.77.1.5.1'))).toEqual([]);
  });
});

describe('seriesPrivacyWarnings', () => {
  it('says once what several files share', () => {
    const one = facts({ identifyingAttributes: ['PatientName'], burnedInAnnotation: true });
    const other = facts({ identifyingAttributes: ['PatientName', 'InstitutionName'] });
    expect(seriesPrivacyWarnings([one, other, one])).toEqual([
      'identifying DICOM attributes hold values: InstitutionName, PatientName',
      expect.stringMatching(/^text is burned in/),
    ]);
  });

  it('is silent on no file', () => expect(seriesPrivacyWarnings([])).toEqual([]));
});
