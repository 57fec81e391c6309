import { FederationError } from '@consilium/shared/kernel';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const MINUTE_MS = 60_000;
const RANGE = /^(?:([a-z]{3})(?:\s*-\s*([a-z]{3}))?\s+)?(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$/;

/** Minutes of a week, counted from Sunday 00:00; the end may lie in the next week. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** When a site trains. */
export interface Hours {
  /** Time until they begin; 0 while they last. */
  restsForMs(nowMs: number): number;
  /** Time until they begin or end. */
  changesInMs(nowMs: number): number;
}

/**
 * Hours of the week, by the clock on the site's wall: "20:00-06:00", or with the days on which they begin
 * "Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00". A range that ends before it begins ends on the next day. Throws CONFIG_INVALID.
 */
export function parseSiteHours(text: string): Hours {
  const ranges = text.split(',').flatMap((part) => parseRange(part.trim().toLowerCase()));
  const trainsAt = (minute: number): boolean =>
    ranges.some(({ from, to }) => (minute >= from && minute < to) || minute + WEEK_MINUTES < to);
  const edges = ranges.flatMap(({ from, to }) => [from, to % WEEK_MINUTES]);
  const nextChange = (nowMs: number): number => {
    const now = minuteOfWeek(nowMs);
    const trains = trainsAt(Math.floor(now));
    const waits = edges.flatMap((edge) => (trainsAt(edge) === trains ? [] : [(edge - now + WEEK_MINUTES) % WEEK_MINUTES]));
    return waits.length === 0 ? Infinity : msUntil(nowMs, Math.min(...waits));
  };
  return {
    restsForMs: (nowMs) => (trainsAt(Math.floor(minuteOfWeek(nowMs))) ? 0 : nextChange(nowMs)),
    changesInMs: nextChange,
  };
}

/** A week has every hour that there is; where the clocks are set, the search takes an hour more. */
const LONGEST_SEARCH_MS = (WEEK_MINUTES + 60) * MINUTE_MS;

/**
 * The hours that lie in both; one of them where the other is undefined. Hours that never meet are over for ever: `restsForMs` then
 * is a little more than a week.
 */
export function hoursInBoth(first: Hours | undefined, second: Hours | undefined): Hours | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  const restsForMs = (nowMs: number): number => {
    let waitMs = 0;
    while (waitMs < LONGEST_SEARCH_MS) {
      const restMs = Math.max(first.restsForMs(nowMs + waitMs), second.restsForMs(nowMs + waitMs));
      if (restMs === 0) return waitMs;
      waitMs += restMs;
    }
    return LONGEST_SEARCH_MS;
  };
  const changesInMs = (nowMs: number): number =>
    restsForMs(nowMs) || Math.min(first.changesInMs(nowMs), second.changesInMs(nowMs));
  return { restsForMs, changesInMs };
}

/** False for hours that never come. */
export function hoursEverCome(hours: Hours, nowMs: number): boolean {
  return hours.restsForMs(nowMs) < LONGEST_SEARCH_MS;
}

function parseRange(text: string): Range[] {
  const [, firstDay, lastDay, ...times] = RANGE.exec(text) ?? [];
  const days = daysOf(firstDay, lastDay);
  const [fromHour = NaN, fromMinute = NaN, toHour = NaN, toMinute = NaN] = times.map(Number);
  const from = minuteOfDay(fromHour, fromMinute);
  const to = minuteOfDay(toHour, toMinute);
  if (days === undefined || from === undefined || to === undefined || from === to || from === DAY_MINUTES) throw invalid(text);
  const length = to > from ? to - from : to + DAY_MINUTES - from;
  return days.map((day) => ({ from: day * DAY_MINUTES + from, to: day * DAY_MINUTES + from + length }));
}

/** All days when none is named; "fri-mon" runs over the end of the week. */
function daysOf(first: string | undefined, last = first): number[] | undefined {
  if (first === undefined || last === undefined) return DAYS.map((_, day) => day);
  const [from, to] = [DAYS.indexOf(first), DAYS.indexOf(last)];
  if (from < 0 || to < 0) return undefined;
  return Array.from({ length: ((to - from + 7) % 7) + 1 }, (_, index) => (from + index) % 7);
}

function minuteOfDay(hour: number, minute: number): number | undefined {
  const minutes = hour * 60 + minute;
  return minute < 60 && minutes <= DAY_MINUTES ? minutes : undefined;
}

/** With its fraction. */
function minuteOfWeek(nowMs: number): number {
  const now = new Date(nowMs);
  const seconds = now.getSeconds() + now.getMilliseconds() / 1000;
  return now.getDay() * DAY_MINUTES + now.getHours() * 60 + now.getMinutes() + seconds / 60;
}

/** Until the wall clock has moved on by so many minutes: where it is set meanwhile, that is another time than minutes × 60 s. */
function msUntil(nowMs: number, minutes: number): number {
  const now = new Date(nowMs);
  const then = new Date(now.getFullYear(), now.getMonth(), now.getDate(), now.getHours(), now.getMinutes() + Math.ceil(minutes));
  const waitMs = then.getTime() - nowMs;
  // In the hour that comes twice the first of the two is meant, which may be past.
  return waitMs > 0 ? waitMs : Math.max(1, Math.round(minutes * MINUTE_MS));
}

function invalid(text: string): FederationError {
  return new FederationError('CONFIG_INVALID', `"${text}" names no hours`, {
    remedy: 'Write for example "20:00-06:00", or "Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00".',
  });
}
