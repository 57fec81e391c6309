import type { Modality } from '../volume.js';
import type { DicomFacts } from './dicom-facts.js';

/** Image storage classes of DICOM PS3.4 Annex B.5 that hold CT or MR slices: classic, enhanced, legacy converted enhanced. */
const STORAGE_CLASSES: Readonly<Record<string, Modality>> = {
  '1.2.840.10008.5.1.4.1.1.2': 'CT',
  '1.2.840.10008.5.1.4.1.1.2.1': 'CT',
  '1.2.840.10008.5.1.4.1.1.2.2': 'CT',
  '1.2.840.10008.5.1.4.1.1.4': 'MR',
  '1.2.840.10008.5.1.4.1.1.4.1': 'MR',
  '1.2.840.10008.5.1.4.1.1.4.4': 'MR',
};

/** CT or MR as the header states it; `other` for what training cannot use; undefined when a header states nothing. */
export function statedModality({ modality, sopClass }: DicomFacts): Modality | 'other' | undefined {
  const stated = modality.trim().toUpperCase();
  if (stated === 'CT' || stated === 'MR') return stated;
  if (stated !== '' && stated !== 'OT') return 'other';
  return STORAGE_CLASSES[sopClass] ?? (stated === '' ? undefined : 'other');
}

/** Whether a file of this class must hold pixels. */
export function mustHoldImage({ sopClass }: DicomFacts): boolean {
  return sopClass in STORAGE_CLASSES;
}
