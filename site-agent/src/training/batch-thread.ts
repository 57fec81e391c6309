/** Entry of a thread that makes pairs for pretraining. */
import { PatchStream, type PatchStreamOptions } from './patch-stream.js';
import { serveRing } from './serve-ring.js';

serveRing<PatchStreamOptions>((options) => {
  const stream = new PatchStream(options);
  return (place) => stream.writePair(place.index, place);
});
