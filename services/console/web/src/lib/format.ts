const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Format how long ago or how soon a time is: "now", "12 s ago", "in 2 min". */
export function formatRelativeTime(at: number, now: number): string {
  const distance = Math.abs(now - at);
  if (distance < (at > now ? 2 * SECOND : SECOND)) return "now"; // the clock ticks late, and is cut to the second
  const text = formatInLargestUnit(distance);
  return at > now ? `in ${text}` : `${text} ago`;
}

function formatInLargestUnit(ms: number): string {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

/** Format milliseconds: "120 ms", "3.4 s", "42 s", "1m 12s", "2h 05m", "26d 13h". */
export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m ${pad(Math.floor((ms % MINUTE) / SECOND))}s`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h ${pad(Math.floor((ms % HOUR) / MINUTE))}m`;
  return `${Math.floor(ms / DAY)}d ${pad(Math.floor((ms % DAY) / HOUR))}h`;
}

const pad = (number: number) => String(number).padStart(2, "0");

const TO_THE_MINUTE = {
  year: "numeric",
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  timeZoneName: "short",
} as const satisfies Intl.DateTimeFormatOptions;

/** Format date, time and zone to the second; `zone` undefined is the machine's own. */
export function formatExactTime(at: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...TO_THE_MINUTE, second: "2-digit", timeZone: zone }).format(at);
}

/** Format date, time and zone to the minute. */
export function formatMinuteTime(at: string, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...TO_THE_MINUTE, timeZone: zone }).format(Date.parse(at));
}

export function formatTimeOfDay(at: number, zone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: zone }).format(at);
}

/** Format since when, as one says it: "17:40", "yesterday 17:40", "Mon, 23 Nov, 17:40". */
export function formatDayTime(at: number, now: number, zone?: string): string {
  const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: zone }).format(at);
  const dayOf = (moment: number) => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(moment);
  if (dayOf(at) === dayOf(now)) return time;
  if (dayOf(at) === dayOf(now - DAY)) return `yesterday ${time}`;
  const day = { weekday: "short", day: "numeric", month: "short", timeZone: zone } as const;
  return `${new Intl.DateTimeFormat("en-GB", day).format(at)}, ${time}`;
}

export function formatCount(number: number): string {
  return new Intl.NumberFormat("en-US").format(number);
}

/** Format a count with its noun: "1 job", "2 jobs". */
export function pluralize(number: number, one: string, many = `${one}s`): string {
  return `${formatCount(number)} ${number === 1 ? one : many}`;
}

/** Format how many of the remaining come next: "500 of 1,200", or "300" when these are all. */
export function formatNextPortion(remaining: number, portion: number): string {
  return remaining > portion ? `${formatCount(portion)} of ${formatCount(remaining)}` : formatCount(remaining);
}

/** Format an amount in USD, which answers hold as decimal text. */
export function formatMoney(usd: string | number): string {
  const amount = Number(usd);
  return `$${amount.toFixed(amount !== 0 && amount < 0.1 ? 4 : 2)}`;
}

const BYTE_UNITS = ["bytes", "KB", "MB", "GB", "TB", "PB"];

/** Format an amount of data to three digits: "512 bytes", "8.24 GB". */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), BYTE_UNITS.length - 1);
  return `${formatCount(Number((bytes / 1_000 ** power).toPrecision(3)))} ${BYTE_UNITS[power]}`;
}

export function formatPercent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** Shorten an id to its end, which is what differs. */
export function shortenId(id: string): string {
  return id.length <= 14 ? id : `…${id.slice(-12)}`;
}
