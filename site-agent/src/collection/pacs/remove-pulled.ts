import { readDicomFacts } from '../../volumes/dicom/read-dicom-facts.js';
import type { SiteHashes } from '../site-hashes.js';
import { PulledFolder } from './pulled-folder.js';

/** Removes every pulled series that holds a file of this patient, given by salted hash. Returns how many series went. */
export async function removePulledOf(patient: string, pulledFolder: string, hashes: SiteHashes): Promise<number> {
  const folder = new PulledFolder(pulledFolder);
  await folder.sweep(); // whose it is cannot be told of half a file
  let removed = 0;
  for (const series of await folder.list()) {
    if (!(await holdsPatient(folder, series, patient, hashes))) continue;
    await folder.remove(series);
    removed++;
  }
  return removed;
}

async function holdsPatient(folder: PulledFolder, series: string, patient: string, hashes: SiteHashes): Promise<boolean> {
  const { complete, patients } = await folder.state(series);
  if (complete || patients.includes(patient)) return patients.includes(patient);
  for (const { path } of await folder.files(series)) {
    const facts = await readDicomFacts(path).catch(() => undefined);
    if (facts?.patientId !== undefined && hashes.patient(facts.patientId) === patient) return true;
  }
  return false;
}
