import { lastWords, runCommand } from './run-command.mjs';
import { diskFull, SetupFailure } from './setup-failure.mjs';

/** Python has zip in its standard library, Node has not. Arguments: wheel, folder, then source and target in turn. */
const SCRIPT = `
import os, shutil, sys, zipfile
wheel, folder, pairs = sys.argv[1], sys.argv[2], sys.argv[3:]
rules = list(zip(pairs[0::2], pairs[1::2]))
taken = set()
with zipfile.ZipFile(wheel) as archive:
    for info in archive.infolist():
        if info.is_dir():
            continue
        for source, target in rules:
            prefix = source.rstrip('*')
            if info.filename != source and not (source[-1] in '/*' and info.filename.startswith(prefix)):
                continue
            path = os.path.join(folder, target + info.filename[len(prefix):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as read, open(path, 'wb') as written:
                shutil.copyfileobj(read, written, 1 << 20)
            taken.add(source)
missing = [source for source, target in rules if source not in taken]
if missing:
    sys.exit('missing in the wheel: ' + ', '.join(missing))
`;

/**
 * Unpacks the wanted members of a wheel; the archive's own checksums are verified on the way.
 * @param {string} path
 * @param {import('./runtime-pins.mjs').Wheel} wheel
 */
export async function extractMembers(path, wheel, folder, python) {
  const pairs = Object.entries(wheel.members).flat();
  const result = await runCommand(python.program, ['-c', SCRIPT, path, folder, ...pairs]);
  if (result.status === 0) return;
  if (/No space left on device|Errno 28/.test(result.stderr)) throw diskFull(result);
  throw new SetupFailure(`${wheel.file} could not be unpacked (${lastWords(result, 1)})`, 'Run set-up again with --force.');
}
