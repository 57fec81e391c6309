import { createLog } from '@consilium/shared/terminal';
import { initialStatus, StatusBoard } from '../agent/agent-status.js';
import { watchTraining } from './watch-training.js';

function watched(): { board: StatusBoard; written: () => string } {
  const versions = { agent: '0.0.0', protocol: 1, node: '20' };
  const known = { siteName: 'clinic', coordinatorUrl: 'https://coordinator.example', startedAtMs: 0, volumes: 3, versions };
  const board = new StatusBoard(initialStatus(known));
  let text = '';
  const stream = { isTTY: true, columns: 120, write: (part: string) => ((text += part), true) };
  watchTraining(board, createLog({ stream }), 'info', stream);
  return { board, written: () => text };
}

describe('the progress line of a training site', () => {
  it('says how far the round is, its loss, and how long steps waited for patches', () => {
    const { board, written } = watched();
    board.update({ phase: 'training', trainerPid: 7, round: 3, step: 34, steps: 100, loss: 0.0213, dataWait: 0.0042 });
    expect(written()).toMatch(/round 3 .*34.*100.*loss 0\.0213 {2}data 0\.4 %/);
  });

  it('says nothing of waiting before a step was made', () => {
    const { board, written } = watched();
    board.update({ phase: 'training', trainerPid: 7, round: 3, step: 0, steps: 100 });
    expect(written()).toContain('round 3');
    expect(written()).not.toContain('data');
  });

  it('forgets the waiting when another phase begins', () => {
    const { board } = watched();
    board.progress('training', 1, 10, 0.5, 0.2);
    expect(board.current.dataWait).toBe(0.2);
    board.progress('scoring', 1, 4);
    expect(board.current.dataWait).toBeNull();
  });
});
