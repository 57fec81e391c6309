import { invariant } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';

/**
 * How many voxels of each class lie in each plane of equal x: enough to find the n-th of them with one look at its plane, where a
 * list of all would take four bytes for each labelled voxel.
 */
export class ClassPlanes {
  private readonly totals: readonly number[];

  /** @param counts of each class, by plane: all that there is to know, for another thread too. */
  constructor(readonly counts: readonly Uint32Array[]) {
    this.totals = counts.map((own) => own.reduce((sum, voxels) => sum + voxels, 0));
  }

  static count(classMap: Uint8Array, [nx, ny, nz]: PatchSize, classes: number): ClassPlanes {
    const counts = Array.from({ length: classes }, () => new Uint32Array(nx));
    for (let x = 0, voxel = 0; x < nx; x++) {
      for (const end = voxel + ny * nz; voxel < end; voxel++) {
        const own = counts[(classMap[voxel] as number) - 1];
        if (own !== undefined) own[x] = (own[x] as number) + 1;
      }
    }
    return new ClassPlanes(counts);
  }

  /** Voxels of a class, counted from 0. */
  total(classIndex: number): number {
    return this.totals[classIndex] ?? 0;
  }

  /** The classes that occur, counted from 0. */
  present(): number[] {
    return [...this.totals.keys()].filter((classIndex) => this.total(classIndex) > 0);
  }

  /** The plane of a class's n-th voxel, and which of the plane's it is; both from 0. */
  locate(classIndex: number, n: number): { readonly x: number; readonly within: number } {
    let within = n;
    for (const [x, own] of (this.counts[classIndex] ?? []).entries()) {
      if (within < own) return { x, within };
      within -= own;
    }
    invariant(false, 'a class has the voxels that were counted');
  }
}
