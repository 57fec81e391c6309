import { Runtime } from '../../site-agent/dist/engine/runtime/runtime.js';
import { makeLearner } from './engine-case.mjs';
import { median, round } from './statistics.mjs';

/** The binding with a clock around every call into TensorFlow. Its own properties are read-only, hence a new object. */
function timedBinding(binding, clock) {
  const timed =
    (name) =>
    (...args) => {
      const started = performance.now();
      try {
        return binding[name](...args);
      } finally {
        clock.insideMs += performance.now() - started;
        clock.calls += 1;
      }
    };
  const names = ['createTensor', 'deleteTensor', 'tensorDataSync', 'executeOp', 'isUsingGpuDevice', 'getNumOfTensors'];
  return { ...Object.fromEntries(names.map((name) => [name, timed(name)])), TF_Version: binding.TF_Version };
}

/**
 * The time of a step that is spent in JavaScript: all of it but the calls into TensorFlow. Medians over the steps, in
 * milliseconds and as a share. The clock itself (a tenth of a microsecond a call) counts as JavaScript.
 */
export function measureOverhead({ binding, native }, options, batch, steps) {
  const clock = { insideMs: 0, calls: 0 };
  const { learner } = makeLearner(new Runtime(timedBinding(binding, clock), native), options);
  learner.step(batch);
  const turns = Array.from({ length: steps }, () => {
    Object.assign(clock, { insideMs: 0, calls: 0 });
    const started = performance.now();
    learner.step(batch);
    const stepMs = performance.now() - started;
    return { stepMs, scriptMs: stepMs - clock.insideMs, calls: clock.calls };
  });
  learner.dispose();
  const scriptMs = median(turns.map((turn) => turn.scriptMs));
  const stepMs = median(turns.map((turn) => turn.stepMs));
  return { scriptMs: round(scriptMs, 2), stepMs: round(stepMs, 1), share: round(scriptMs / stepMs), calls: turns[0].calls };
}
