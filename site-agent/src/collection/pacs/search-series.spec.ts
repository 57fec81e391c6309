import { type ArchiveHabits, type Interference, MadeArchive } from '../../../../test/fixtures/made-archive.js';
import { makeArchived } from '../../../../test/fixtures/make-archived.js';
import { ArchiveLink } from './archive-link.js';
import type { AttemptPlan } from './few-attempts.js';
import { searchSeries, type SearchResult } from './search-series.js';
import type { SeriesFilter } from './series-filter.js';

const QUICK: AttemptPlan = { attempts: 3, backoff: { firstMs: 5, capMs: 20, floorMs: 1 } };
const ALL: SeriesFilter = { modalities: [], bodyParts: [], from: undefined, to: undefined };
const three = [
  makeArchived(1, { bodyPart: 'HEAD', date: '20240110' }),
  makeArchived(2, { modality: 'MR', bodyPart: 'KNEE', date: '20240601' }),
  makeArchived(3),
];

let archive: MadeArchive | undefined;
afterEach(async () => {
  await archive?.close();
  archive = undefined;
});

async function open(habits: ArchiveHabits = {}): Promise<MadeArchive> {
  archive = await MadeArchive.open(three, habits);
  return archive;
}

function search({ url }: MadeArchive): Promise<SearchResult> {
  return searchSeries(new ArchiveLink({ url, attempts: QUICK }), ALL);
}

describe('searchSeries', () => {
  const habits: readonly ArchiveHabits[] = [
    {},
    { pageSize: 1 },
    { ignoresPaging: true },
    { ignoresFilters: true },
    { statesNothing: true, ignoresFilters: true },
    { seriesOfOneExaminationOnly: true },
  ];

  it.each(habits)('chooses the same series from an archive with the habits %j', async (habit) => {
    const link = new ArchiveLink({ url: (await open(habit)).url, attempts: QUICK });
    const found = async (filter: Partial<SeriesFilter>) => {
      const { wanted, unstated } = await searchSeries(link, { ...ALL, ...filter });
      return [wanted.map(({ series }) => series), unstated];
    };
    await expect(found({})).resolves.toEqual([['1.2.1.1', '1.2.2.1', '1.2.3.1'], 0]);
    await expect(found({ modalities: ['MR'] })).resolves.toEqual([['1.2.2.1'], 0]);
    await expect(found({ bodyParts: ['HEAD'] })).resolves.toEqual([['1.2.1.1'], 1]);
    await expect(found({ from: '20240101', to: '20240301' })).resolves.toEqual([['1.2.1.1'], 1]);
    await expect(found({ modalities: ['PT'] })).resolves.toEqual([[], 0]);
  });

  it.each([
    ['no JSON', (response: Parameters<Interference>[1]) => response.end('<html>hello</html>')],
    ['no list', (response: Parameters<Interference>[1]) => response.end('[1, 2]')],
    ['a refusal', (response: Parameters<Interference>[1]) => response.writeHead(400).end()],
  ])('says that %s is no DICOMweb service', async (_, act) => {
    const made = await open();
    made.interference = (_path, response) => {
      act(response);
      return true;
    };
    await expect(search(made)).rejects.toMatchObject({ code: 'ARCHIVE_ANSWER_INVALID' });
  });

  it('never asks for an identifier that would lead elsewhere', async () => {
    const made = await open();
    const odd = ['..', '1.2/../../instances', '1.2?x=1', 'abc', ''].map((uid) => ({
      '0020000D': { vr: 'UI', Value: [uid] },
      '0020000E': { vr: 'UI', Value: [uid] },
    }));
    made.interference = (path, response) => {
      if (path === '/series') response.end(JSON.stringify(odd));
      return path === '/series';
    };
    await expect(search(made)).resolves.toEqual({ wanted: [], unstated: 0 });
    expect(made.requests.filter((path) => path !== '/series')).toEqual([]);
  });
});
