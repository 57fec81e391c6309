import { modelMetadata, type ModelSpec } from '@consilium/shared/models';

/** What a version's file says about itself: its model spec and its number in the lineage. */
export function weightFileMetadata(spec: ModelSpec, version: number): Record<string, string> {
  return { ...modelMetadata('pretrained', spec), version: String(version) };
}
