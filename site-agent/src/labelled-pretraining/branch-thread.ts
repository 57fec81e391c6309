/** Entry of a thread that makes patches for a pretraining on labelled collections. */
import { serveRing } from '../training/serve-ring.js';
import { BranchSampler, type BranchWork } from './branch-sampler.js';

serveRing<BranchWork>((work) => {
  const sampler = new BranchSampler(work);
  return (place) => sampler.write(place.index, place);
});
