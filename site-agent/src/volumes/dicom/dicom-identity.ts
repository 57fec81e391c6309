import type { DicomAttributes } from './dicom-attributes.js';
import type { PrivacyFacts } from './dicom-facts.js';
import { TAG } from './dicom-tags.js';

/** Attributes that name a person, a place or an order: the direct identifiers of the basic profile, DICOM PS3.15 table E.1-1. */
export const IDENTIFYING_TAGS: ReadonlyMap<number, string> = new Map([
  [0x00080050, 'AccessionNumber'],
  [0x00080080, 'InstitutionName'],
  [0x00080081, 'InstitutionAddress'],
  [0x00080090, 'ReferringPhysicianName'],
  [0x00080092, 'ReferringPhysicianAddress'],
  [0x00080094, 'ReferringPhysicianTelephoneNumbers'],
  [0x00081040, 'InstitutionalDepartmentName'],
  [0x00081048, 'PhysiciansOfRecord'],
  [0x00081050, 'PerformingPhysicianName'],
  [0x00081060, 'NameOfPhysiciansReadingStudy'],
  [0x00081070, 'OperatorsName'],
  [TAG.patientName, 'PatientName'],
  [TAG.patientId, 'PatientID'],
  [0x00100030, 'PatientBirthDate'],
  [0x00100032, 'PatientBirthTime'],
  [0x00101000, 'OtherPatientIDs'],
  [0x00101001, 'OtherPatientNames'],
  [0x00101002, 'OtherPatientIDsSequence'],
  [0x00101005, 'PatientBirthName'],
  [0x00101040, 'PatientAddress'],
  [0x00101050, 'InsurancePlanIdentification'],
  [0x00101060, 'PatientMotherBirthName'],
  [0x00101080, 'MilitaryRank'],
  [0x00101090, 'MedicalRecordLocator'],
  [0x00102150, 'CountryOfResidence'],
  [0x00102152, 'RegionOfResidence'],
  [0x00102154, 'PatientTelephoneNumbers'],
  [0x001021b0, 'AdditionalPatientHistory'],
  [0x001021f0, 'PatientReligiousPreference'],
  [0x00102297, 'ResponsiblePerson'],
  [0x00102299, 'ResponsibleOrganization'],
  [0x00104000, 'PatientComments'],
  [0x00321032, 'RequestingPhysician'],
  [0x00321033, 'RequestingService'],
  [0x00380010, 'AdmissionID'],
  [0x00380300, 'CurrentPatientLocation'],
  [0x00380400, 'PatientInstitutionResidence'],
  [0x00400006, 'ScheduledPerformingPhysicianName'],
  [0x00401010, 'NamesOfIntendedRecipientsOfResults'],
  [0x00402008, 'OrderEnteredBy'],
  [0x00402010, 'OrderCallbackPhoneNumber'],
  [0x0040a075, 'VerifyingObserverName'],
  [0x0040a123, 'PersonName'],
  [0x4008010c, 'InterpretationAuthor'],
  [0x40080114, 'PhysicianApprovingInterpretation'],
]);

/** What de-identification tools put in place of a value. */
const PLACEHOLDER =
  /^(anon\w*|de-?identified|removed|redacted|deleted|masked|hidden|unknown|unspecified|none|null|no[ _-]?(name|id|value)|n\/?a|not (available|applicable|given)|pseudonym\w*|x+|0+|-+|\*+|\?+)$/i;
const PLACEHOLDER_DATES = new Set(['19000101', '00010101', '00000000', '19700101', '18000101']);

/** Which identifying attributes hold a value that is evidently not a placeholder. Values are looked at and dropped. */
export function readPrivacy(attributes: DicomAttributes): PrivacyFacts {
  const says = (tag: number): boolean => attributes.text(tag)?.toUpperCase() === 'YES';
  const deidentified = says(TAG.identityRemoved);
  const identifying = [...IDENTIFYING_TAGS].filter(([tag]) => identifies(attributes, tag));
  return {
    identifyingAttributes: identifying
      .filter(([tag]) => !isPseudonym(attributes, tag, deidentified))
      .map(([, keyword]) => keyword),
    burnedInAnnotation: says(TAG.burnedInAnnotation),
    recognisableFeatures: says(TAG.recognisableFeatures),
    deidentified,
  };
}

function identifies(attributes: DicomAttributes, tag: number): boolean {
  const text = attributes.text(tag);
  if (text === undefined || PLACEHOLDER_DATES.has(text)) return false;
  return text.split(/[\\^=\s]+/).some((part) => part !== '' && !PLACEHOLDER.test(part)) && !PLACEHOLDER.test(text);
}

/** A name that equals the patient's id, or an id in a file that says its identity was removed: a code, not a person. */
function isPseudonym(attributes: DicomAttributes, tag: number, deidentified: boolean): boolean {
  if (tag !== TAG.patientId && tag !== TAG.patientName) return false;
  const id = attributes.text(TAG.patientId);
  const name = attributes.text(TAG.patientName);
  if (deidentified && tag === TAG.patientId) return true;
  if (deidentified && name !== undefined && !name.includes('^')) return true;
  return id !== undefined && id === name && !name.includes('^');
}
