import { Round } from '../../coordinator/src/rounds/round.entity.js';
import { drawnWorld } from './world/drawn-world.js';
import { checkedWorld } from './checkers/check-world.js';

it('smoke', async () => {
  const c0 = process.cpuUsage();
  let events = 0;
  let rounds = 0,
    sims = 0;
  const states: Record<string, number> = {};
  const t = Date.now();
  const from = Number(process.env['FROM'] ?? 0);
  for (let i = from; i < from + Number(process.env['N'] ?? 40); i++) {
    const world = await checkedWorld(drawnWorld(`${i}`)).catch((e) => {
      console.log(i, e.message.slice(0, 1500));
    });
    if (!world) continue;
    rounds += world.disk.records.rowsOf(Round).length;
    sims += world.schedule.elapsedMs;
    for (const { state, code } of [...world.disk.records.rowsOf(Round)])
      states[`${state} ${code}`] = (states[`${state} ${code}`] ?? 0) + 1;
    for (const { state, code } of [...world.campaigns()]) states[`C ${state} ${code}`] = (states[`C ${state} ${code}`] ?? 0) + 1;
    events += world.schedule.happened;
  }
  console.log(
    rounds,
    'rounds',
    Date.now() - t,
    'ms',
    (Date.now() - t) / rounds,
    'ms per round',
    sims / 3.6e6,
    'h',
    'cpu per round',
    (process.cpuUsage(c0).user + process.cpuUsage(c0).system) / 1000 / rounds,
    'events per round',
    events / rounds,
    states,
  );
}, 600000);
