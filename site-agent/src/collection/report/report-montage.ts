import type { ScanRecord, VolumeRecord } from '../scan-record.js';
import { geometryText, groupByKind, modalityOf, nameOf, regionOf } from './describe-collection.js';
import { htmlText } from './visible-text.js';

/** So many pictures in one part that can be folded. */
const PAGE = 60;
/** More would make the page too large for a browser; the rest is listed without pictures. */
export const MOST_PICTURES = 3000;
/** Of a scan with many time points, so many are shown. */
const MOST_FRAMES = 4;

/**
 * All scans that can be read, by modality and region, in parts that can be folded, and are when there are many; pictures
 * are decoded when they are seen.
 */
export function montage(records: readonly ScanRecord[], root: string, mostPictures = MOST_PICTURES): string {
  const gallery = { root, picturesLeft: mostPictures };
  const parts = [...groupByKind(records).values()].flatMap((group) => pagesOf(group).map((page) => partOf(page, group, gallery)));
  const open = records.length <= PAGE ? parts.length : 1;
  return parts.map((part, index) => `<details${index < open ? ' open' : ''}>${part}</details>`).join('\n');
}

interface Gallery {
  readonly root: string;
  picturesLeft: number;
}

interface Page {
  readonly start: number;
  readonly records: readonly ScanRecord[];
}

function pagesOf(group: readonly ScanRecord[]): Page[] {
  const starts = Array.from({ length: Math.ceil(group.length / PAGE) }, (_, index) => index * PAGE);
  return starts.map((start) => ({ start, records: group.slice(start, start + PAGE) }));
}

function partOf({ start, records }: Page, group: readonly ScanRecord[], gallery: Gallery): string {
  const [first] = records;
  const kind = first === undefined ? '' : `${modalityOf(first)}, region ${regionOf(first)}`;
  const range =
    group.length > PAGE ? `: scans ${start + 1} to ${start + records.length} of ${group.length}` : ` (${group.length})`;
  const figures = records.map((record) => figuresOf(record, gallery)).join('\n');
  return `<summary>${htmlText(kind + range)}</summary><div class="montage">\n${figures}\n</div>`;
}

function figuresOf(record: ScanRecord, gallery: Gallery): string {
  const name = nameOf(record, gallery.root);
  if (record.volumes.length === 0) return figure(record, name, '<div class="picture">voxels not read yet</div>');
  const shown = record.volumes.slice(0, MOST_FRAMES).map((volume) => {
    const title = record.volumes.length > 1 ? `${name}, volume ${volume.frame + 1}` : name;
    return figure(record, title, pictureOf(volume, title, gallery));
  });
  const rest = record.volumes.length - shown.length;
  return [...shown, ...(rest > 0 ? [`<p class="faint">and ${rest} more volumes of ${htmlText(name)}</p>`] : [])].join('\n');
}

function pictureOf({ thumbnail }: VolumeRecord, title: string, gallery: Gallery): string {
  if (thumbnail === undefined) return '<div class="picture">no picture on this page</div>';
  if (gallery.picturesLeft-- <= 0) return '<div class="picture">left out: too many pictures for one page</div>';
  const data = Buffer.from(thumbnail.buffer, thumbnail.byteOffset, thumbnail.byteLength).toString('base64');
  const alt = htmlText(`Middle planes of ${title}: sagittal, coronal, axial`);
  return `<div class="picture"><img loading="lazy" decoding="async" alt="${alt}" src="data:image/png;base64,${data}"></div>`;
}

function figure(record: ScanRecord, title: string, picture: string): string {
  const remarks = [record.reason, record.unusedBecause === undefined ? undefined : `left out: ${record.unusedBecause}`];
  const lines = remarks.flatMap((remark) =>
    remark === undefined ? [] : [`<br><span class="reported">${htmlText(remark)}</span>`],
  );
  return `<figure>${picture}<figcaption><span class="path">${htmlText(title)}</span><br>${htmlText(geometryText(record))}<br>
${htmlText(`${modalityOf(record)}, region ${regionOf(record)}`)} · <b class="${record.status}">${record.status}</b>${lines.join('')}</figcaption></figure>`;
}
