import { useNow } from "@/lib/clock";
import { formatExactTime, formatRelativeTime } from "@/lib/format";
import { useStoredChoice } from "@/lib/stored-choice";

export type Zone = "local" | "UTC";
const LOCAL: Zone = "local";

export function useZone(): [Zone, (zone: Zone) => void] {
  return useStoredChoice<Zone>("zone", LOCAL);
}

/** Convert a zone to Intl's name of it; undefined is the machine's own. */
export function toIntlZone(zone: Zone): "UTC" | undefined {
  return zone === "UTC" ? "UTC" : undefined;
}

/** Time relative to now; the exact time is its title. */
export function Time({ at, before = "", className }: { at: string; before?: string; className?: string }) {
  const now = useNow();
  const [zone] = useZone();
  const moment = Date.parse(at);
  if (Number.isNaN(moment)) return <span className={className}>–</span>;
  const exact = formatExactTime(moment, toIntlZone(zone));
  return (
    <time dateTime={at} title={exact} className={className}>
      {before}
      {formatRelativeTime(moment, now)}
    </time>
  );
}

/** Exact time in the chosen zone; ISO 8601 is its title. */
export function ExactTime({ at, className }: { at: string; className?: string }) {
  const [zone] = useZone();
  const moment = Date.parse(at);
  if (Number.isNaN(moment)) return <span className={className}>–</span>;
  return (
    <time dateTime={at} title={at} className={className}>
      {formatExactTime(moment, toIntlZone(zone))}
    </time>
  );
}
