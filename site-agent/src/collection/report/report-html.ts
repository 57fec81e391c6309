import { formatBytes } from '@consilium/shared/kernel';
import type { ScanRecord } from '../scan-record.js';
import {
  type CollectionDescription,
  describeCollection,
  type Finding,
  nameOf,
  PRIVACY_NOTE,
  type ReportOptions,
  RESEARCH_NOTE,
} from './describe-collection.js';
import { type Histogram, histogramsOf } from './histograms.js';
import { chartFigure } from './report-charts.js';
import { montage } from './report-montage.js';
import { REPORT_STYLE } from './report-style.js';
import { THUMBNAIL_LEGEND } from './thumbnail.js';
import { htmlText } from './visible-text.js';

/** Names beyond these are folded away. */
const NAMES_IN_SIGHT = 6;
/** Nothing may be loaded and nothing may run, whatever a file is called. */
const CONTENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/**
 * The report as one page that needs nothing else: no request goes out, no script runs. Thumbnails are part of it, so treat the
 * file like the scans.
 */
export function renderReportHtml(records: readonly ScanRecord[], options: ReportOptions = {}): string {
  const description = describeCollection(records, options);
  const { root } = description;
  const readable = records.filter((record) => record.status !== 'refused');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${htmlText(`Scans in ${root}`)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>${headOf(description)}</header>
<main>
${kindSection(description)}
${chartSection(histogramsOf(records))}
${findingSection('Cannot be used', 'These are left alone: reading them fails, or would give wrong voxels.', description.refused, root)}
${findingSection('Left out of training', 'These can be read, but training does not draw from them.', description.unused, root)}
${findingSection('Readable, with a remark', 'These can be read; something about them is worth knowing.', description.reported, root)}
${findingSection('Privacy', PRIVACY_NOTE, description.privacy, root)}
${readable.length === 0 ? '' : section('Pictures', `<p>${THUMBNAIL_LEGEND}</p>\n${montage(readable, root)}`)}
</main>
<footer><p>${RESEARCH_NOTE}</p><p class="faint">This page holds pictures and names of files and folders: pass it on only as you would the scans.</p></footer>
</body>
</html>
`;
}

function headOf({ root, scans, volumes, files, bytes, byStatus, usable, unchecked, patients }: CollectionDescription): string {
  const tiles: (readonly [number | string, string, string?])[] = [
    [scans, 'scans'],
    [volumes, 'volumes'],
    [usable, 'used in training'],
    [byStatus.ok, 'ok', 'ok'],
    [byStatus.reported, 'with a remark', 'reported'],
    [byStatus.refused, 'refused', 'refused'],
    ...(unchecked > 0 ? [[unchecked, 'known by header only'] as const] : []),
    ...(patients > 0 ? [[patients, 'patients, by salted hash'] as const] : []),
    [formatBytes(bytes), `in ${files} files`],
  ];
  const items = tiles.map(([value, label, mark = '']) => `<li><b class="${mark}">${value}</b>${htmlText(label)}</li>`);
  return `<h1>Scans in <span class="path">${htmlText(root)}</span></h1>
<p class="faint">${RESEARCH_NOTE}</p>
<ul class="tiles">${items.join('')}</ul>`;
}

function section(title: string, body: string): string {
  return `<section><h2>${htmlText(title)}</h2>\n${body}\n</section>`;
}

function kindSection({ kinds }: CollectionDescription): string {
  if (kinds.length === 0) return section('Modality and region', '<p>No scan here can be read.</p>');
  const rows = kinds.map(
    ({ modality, region, scans, usable }) =>
      `<tr><td>${htmlText(modality)}</td><td>${htmlText(region)}</td><td class="number">${scans}</td><td class="number">${usable}</td></tr>`,
  );
  return section(
    'Modality and region',
    `<div class="wide"><table><thead><tr><th scope="col">Modality</th><th scope="col">Region</th><th scope="col" class="number">Scans</th><th scope="col" class="number">Used in training</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`,
  );
}

function chartSection(histograms: readonly Histogram[]): string {
  if (histograms.length === 0) return '';
  return section('Voxel sizes and intensities', `<div class="charts">${histograms.map(chartFigure).join('\n')}</div>`);
}

function findingSection(title: string, lead: string, findings: readonly Finding[], root: string): string {
  if (findings.length === 0) return '';
  const helped = findings.some(({ remedy }) => remedy !== undefined);
  const rows = findings.map((finding) => findingRow(finding, helped, root));
  const helps = helped ? '<th scope="col">What helps</th>' : '';
  return section(
    title,
    `<p>${lead}</p>
<div class="wide"><table class="findings"><thead><tr><th scope="col" class="number">Scans</th><th scope="col">Why</th>${helps}<th scope="col">Which</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`,
  );
}

function findingRow({ code, reason, remedy, scans }: Finding, helped: boolean, root: string): string {
  const why = htmlText(reason) + (code === undefined ? '' : `<br><span class="faint">${htmlText(code)}</span>`);
  const helps = helped ? `<td>${htmlText(remedy ?? '–')}</td>` : '';
  return `<tr><td class="number">${scans.length}</td><td>${why}</td>${helps}<td>${nameList(scans, root)}</td></tr>`;
}

function nameList(scans: readonly ScanRecord[], root: string): string {
  const list = (part: readonly ScanRecord[]): string =>
    `<ul class="path">${part.map((record) => `<li>${htmlText(nameOf(record, root))}</li>`).join('')}</ul>`;
  const rest = scans.slice(NAMES_IN_SIGHT);
  const folded = rest.length === 0 ? '' : `<details><summary>and ${rest.length} more</summary>${list(rest)}</details>`;
  return list(scans.slice(0, NAMES_IN_SIGHT)) + folded;
}
