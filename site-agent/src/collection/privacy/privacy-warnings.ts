import type { DicomFacts } from '../../volumes/dicom/dicom-facts.js';

type PrivacySource = Pick<DicomFacts, 'privacy' | 'sopClass'>;

/** Few attributes are named; of more, the number says enough. */
const MOST_NAMED = 6;
const SECONDARY_CAPTURE = '1.2.840.10008.5.1.4.1.1.7';

/** What stands in the header of one file that can identify a person: names of attributes, never their values. */
export function privacyWarningsOf(facts: PrivacySource): string[] {
  return seriesPrivacyWarnings([facts]);
}

/** The same for all files of a series: each finding once. */
export function seriesPrivacyWarnings(facts: readonly PrivacySource[]): string[] {
  const attributes = [...new Set(facts.flatMap(({ privacy }) => privacy.identifyingAttributes))].sort();
  const warnings: string[] = [];
  if (attributes.length > 0) warnings.push(`identifying DICOM attributes hold values: ${listed(attributes)}`);
  if (attributes.length > 0 && facts.some(({ privacy }) => privacy.deidentified)) {
    warnings.push('the header says that the identity was removed, yet identifying attributes hold values');
  }
  if (facts.some(({ privacy }) => privacy.burnedInAnnotation)) {
    warnings.push('text is burned into the pictures (Burned In Annotation): it may name the patient');
  } else if (facts.some(isSecondaryCapture)) {
    warnings.push('a captured screen (Secondary Capture): text may be burned into the pictures');
  }
  if (facts.some(({ privacy }) => privacy.recognisableFeatures)) {
    warnings.push('the header says that a person could be recognised from the pictures (Recognizable Visual Features)');
  }
  return warnings;
}

function isSecondaryCapture({ sopClass }: PrivacySource): boolean {
  return sopClass === SECONDARY_CAPTURE || sopClass.startsWith(`${SECONDARY_CAPTURE}.`);
}

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMED;
  return rest > 0 ? `${names.slice(0, MOST_NAMED).join(', ')} and ${rest} more` : names.join(', ');
}
