/** Who is trained on, validated with and tested on: lists of their own, shares held out, folds; patients never part. */
import { FederationError, Random } from '@consilium/shared/kernel';
import { CASE_LISTS, type CaseList, type FoldsPlan, type HoldOutPlan } from './case-entry.js';
import type { CaseFiles, CasesOf } from './finetune-case.js';

/** A case as it is divided: `classIndex` where there are classes, so that each part gets its share of them. */
export type DividedCase = CaseFiles & { readonly classIndex?: number };

/** Cases of one scan, or of one patient where the task names them, in the order of the list. */
function patientsOf<Case extends DividedCase>(cases: readonly Case[]): Case[][] {
  const groups = new Map<string, Case[]>();
  for (const entry of cases) {
    const key = patientKey(entry);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

function patientKey({ patient, image, series }: CaseFiles): string {
  return patient === undefined ? scanKey(image, series) : `patient ${patient}`;
}

function scanKey(image: string, series: number | undefined): string {
  return `scan ${image}#${series ?? ''}`;
}

/**
 * The fold of each case, from 0. Patients are shuffled by the seed, those with many cases go first, and each joins the fold
 * that has the fewest cases of the patient's commonest class, then the fewest cases. TASK_INVALID with fewer patients than
 * folds.
 */
export function foldOfEach(cases: readonly DividedCase[], { count, seed }: FoldsPlan): number[] {
  const patients = new Random(`folds/${seed}`).shuffle(patientsOf(cases)).sort((a, b) => b.length - a.length);
  if (patients.length < count) {
    throw new FederationError('TASK_INVALID', `folds: ${patients.length} patients cannot fill ${count} folds`, {
      remedy: 'Ask for fewer folds, or list more patients.',
    });
  }
  const folds = Array.from({ length: count }, (): DividedCase[] => []);
  for (const patient of patients) {
    const common = commonestClass(patient);
    const load = folds.map((fold) => fold.filter(({ classIndex }) => classIndex === common).length);
    const best = folds.reduce((chosen, fold, index) => {
      const [ofClass, all] = [load[index] ?? 0, fold.length];
      const [bestOfClass, bestOfAll] = [load[chosen] ?? 0, folds[chosen]?.length ?? 0];
      return ofClass < bestOfClass || (ofClass === bestOfClass && all < bestOfAll) ? index : chosen;
    }, 0);
    folds[best]?.push(...patient);
  }
  const place = new Map(folds.flatMap((fold, index) => fold.map((entry) => [entry, index] as const)));
  return cases.map((entry) => place.get(entry) ?? 0);
}

function commonestClass(patient: readonly DividedCase[]): number | undefined {
  const counts = new Map<number | undefined, number>();
  for (const { classIndex } of patient) counts.set(classIndex, (counts.get(classIndex) ?? 0) + 1);
  return [...counts].reduce((most, next) => (next[1] > most[1] ? next : most))[0];
}

/** The lists of fold `k`, counted from 1: it is tested, the next one validates, the others train. */
export function casesOfFold<Case extends DividedCase>(cases: readonly Case[], folds: FoldsPlan, k: number): CasesOf<Case> {
  const own = foldOfEach(cases, folds);
  const members = (wanted: (fold: number) => boolean): Case[] => cases.filter((_, index) => wanted(own[index] ?? 0));
  const [test, validation] = [k - 1, k % folds.count];
  return {
    train: members((fold) => fold !== test && fold !== validation),
    validation: members((fold) => fold === validation),
    test: members((fold) => fold === test),
  };
}

/** Takes patients for test, then for validation, in an order shuffled by the seed, until each has its share of the cases. */
export function holdOut<Case extends DividedCase>(cases: readonly Case[], plan: HoldOutPlan): CasesOf<Case> {
  const patients = new Random(`hold-out/${plan.seed}`).shuffle(patientsOf(cases));
  const take = (share: number): Case[] => {
    const wanted = Math.round(share * cases.length);
    const taken: Case[] = [];
    while (taken.length < wanted && patients.length > 1) taken.push(...(patients.pop() ?? []));
    return taken;
  };
  const [test, validation] = [take(plan.test), take(plan.validation)];
  const inOrder = (members: readonly Case[]): Case[] => cases.filter((entry) => members.includes(entry));
  return { train: inOrder(patients.flat()), validation: inOrder(validation), test: inOrder(test) };
}

/** Lists as the entries say; TASK_INVALID when some say nothing. */
export function byList<Case>(cases: readonly { readonly list: CaseList | undefined; readonly found: Case }[]): CasesOf<Case> {
  const members = (wanted: CaseList): Case[] => cases.filter(({ list }) => list === wanted).map(({ found }) => found);
  return { train: members('train'), validation: members('validation'), test: members('test') };
}

/**
 * A case that is trained and tested on makes every number meaningless, so it is refused rather than reported. Frames and
 * patches of one scan show one patient: they may share a list, but not lie in two.
 */
export function requireDistinctCases(cases: CasesOf<CaseFiles & { readonly centre?: readonly number[] | undefined }>): void {
  const seen = { scans: new Map<string, string>(), patients: new Map<string, string>() };
  const parts = new Set<string>();
  const names = new Set<string>();
  for (const list of CASE_LISTS) {
    for (const { image, series, frame = 0, centre = [], name, patient } of cases[list]) {
      const scan = scanKey(image, series);
      const part = `${scan}#${frame}#${centre.join()}`;
      const other = seen.scans.get(scan);
      if (other !== undefined && (other !== list || parts.has(part))) throw listedTwice(list, name, other);
      if (names.has(name)) {
        throw new FederationError('TASK_INVALID', `cases.${list}: two cases are called ${name}`, {
          remedy: 'Give one of them another "name".',
        });
      }
      if (patient !== undefined) requireOneList(seen.patients, patient, list);
      seen.scans.set(scan, list);
      parts.add(part);
      names.add(name);
    }
  }
}

function requireOneList(patients: Map<string, string>, patient: string, list: CaseList): void {
  const other = patients.get(patient) ?? list;
  if (other !== list) {
    throw new FederationError('TASK_INVALID', `cases.${list}: the patient ${patient} is also listed under ${other}`, {
      remedy: 'Put all cases of a patient into one of train, validation and test.',
    });
  }
  patients.set(patient, list);
}

function listedTwice(list: string, name: string, other: string): FederationError {
  return new FederationError('TASK_INVALID', `cases.${list}: the image of case ${name} is also listed under ${other}`, {
    remedy: 'Put each image into exactly one of train, validation and test.',
  });
}
