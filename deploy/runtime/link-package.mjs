import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageFolder } from './compile-addon.mjs';
import { ADDON_FILE } from './runtime-folder.mjs';

/**
 * Links the runtime into the installed tfjs package, so that importing @tensorflow/tfjs-node-gpu works too and the engine
 * finds the folder that this checkout was set up with. Installing packages anew removes the links: they are cheap to lay.
 */
export function linkPackage(folder) {
  for (const [link, target] of packageLinks(folder)) {
    if (linkTarget(link) === target) continue;
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    symlinkSync(target, link);
  }
}

/** True when the package's links name this folder. */
export function isLinked(folder) {
  try {
    return packageLinks(folder).every(([link, target]) => linkTarget(link) === target);
  } catch {
    return false; // the package is not installed
  }
}

function packageLinks(folder) {
  const home = packageFolder('@tensorflow/tfjs-node-gpu');
  return [
    [join(home, 'lib', 'napi-v8', ADDON_FILE), join(folder, ADDON_FILE)],
    [join(home, 'deps', 'lib'), join(folder, 'lib')],
    [join(home, 'deps', 'include'), join(folder, 'include')],
  ];
}

function linkTarget(link) {
  return lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(link) : undefined;
}
