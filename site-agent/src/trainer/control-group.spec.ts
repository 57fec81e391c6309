import { readControlGroup, type ReadText } from './control-group.js';

function files(texts: Readonly<Record<string, string>>): ReadText {
  return (path) => texts[path];
}

const MIB = 2 ** 20;
const NONE = { freeBytes: undefined, memoryKills: undefined };

describe('the control group of this process', () => {
  it.each([
    ['no Linux', {}, NONE],
    ['no limit', { '/proc/self/cgroup': '0::/user.slice\n', '/sys/fs/cgroup/user.slice/memory.max': 'max\n' }, NONE],
    [
      'a container, version 2',
      {
        '/proc/self/cgroup': '0::/\n',
        '/sys/fs/cgroup/memory.max': `${512 * MIB}\n`,
        '/sys/fs/cgroup/memory.current': `${300 * MIB}\n`,
        '/sys/fs/cgroup/memory.stat': `anon 1\nfile 9\ninactive_file ${100 * MIB}\n`,
        '/sys/fs/cgroup/memory.events': 'low 0\nhigh 0\nmax 3\noom 2\noom_kill 2\n',
      },
      { freeBytes: 312 * MIB, memoryKills: 2 },
    ],
    [
      'a service below a tighter slice, version 2',
      {
        '/proc/self/cgroup': '0::/system.slice/agent.service\n',
        '/sys/fs/cgroup/system.slice/agent.service/memory.max': `${900 * MIB}\n`,
        '/sys/fs/cgroup/system.slice/agent.service/memory.current': `${100 * MIB}\n`,
        '/sys/fs/cgroup/system.slice/agent.service/memory.events': 'oom 0\noom_kill 0\n',
        '/sys/fs/cgroup/system.slice/memory.max': `${1000 * MIB}\n`,
        '/sys/fs/cgroup/system.slice/memory.current': `${950 * MIB}\n`,
        '/sys/fs/cgroup/system.slice/memory.events': 'oom 4\noom_kill 4\n',
      },
      { freeBytes: 50 * MIB, memoryKills: 0 },
    ],
    [
      'a container, version 1, whose path is the host’s',
      {
        '/proc/self/cgroup': '5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${400 * MIB}\n`,
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${500 * MIB}\n`,
        '/sys/fs/cgroup/memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
      },
      { freeBytes: 0, memoryKills: 1 },
    ],
    [
      'version 1 without a limit',
      {
        '/proc/self/cgroup': '4:memory:/\n',
        '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        '/sys/fs/cgroup/memory/memory.usage_in_bytes': `${MIB}\n`,
      },
      NONE,
    ],
  ])('is read: %s', (_name, texts, expected) => {
    expect(readControlGroup(files(texts as Record<string, string>))).toEqual(expected);
  });

  it('reads this machine without harm', () => {
    const { freeBytes } = readControlGroup();
    expect(freeBytes === undefined || freeBytes >= 0).toBe(true);
  });
});
