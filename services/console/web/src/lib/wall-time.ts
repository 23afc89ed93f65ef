/**
 * Convert a moment to local time as `<input type="datetime-local">` takes it; `zone` undefined is the machine's own.
 */
export function toWallTime(at: string, zone?: "UTC"): string {
  const moment = new Date(at);
  const behindMs = zone === "UTC" ? 0 : moment.getTimezoneOffset() * 60_000;
  return new Date(moment.getTime() - behindMs).toISOString().slice(0, 16);
}

/** Convert local time to a moment; undefined while it is incomplete: a year is typed digit by digit. */
export function fromWallTime(text: string, zone?: "UTC"): string | undefined {
  const moment = new Date(zone === "UTC" ? `${text}Z` : text);
  return Number.isNaN(moment.getTime()) || moment.getUTCFullYear() < 1970 ? undefined : moment.toISOString();
}
