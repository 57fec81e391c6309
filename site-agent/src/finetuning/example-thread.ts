/** Entry of a thread that makes examples for a fine-tuning. */
import { serveRing } from '../training/serve-ring.js';
import { type ExampleWork, openWriter } from './finetune-feed.js';

serveRing<ExampleWork>((work) => {
  const writer = openWriter(work);
  return (place) => writer.write(place.index, place);
});
