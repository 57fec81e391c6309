import { writeFileWhole } from '@consilium/shared/weights';
import { type ModelPassport, passportBeside } from '@consilium/shared/wire';

/** Writes the passport beside the model, whole or not at all. */
export async function writePassport(modelPath: string, passport: ModelPassport): Promise<string> {
  const path = passportBeside(modelPath);
  await writeFileWhole(path, [Buffer.from(`${JSON.stringify(passport, null, 2)}\n`)]);
  return path;
}
