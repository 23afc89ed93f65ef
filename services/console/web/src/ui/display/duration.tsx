import { useNow } from "@/lib/clock";
import { formatDuration } from "@/lib/format";

/** Duration from a time to another, or until now. */
export function Duration({ from, to }: { from: string; to?: string | null }) {
  return to ? <span>{formatDuration(Date.parse(to) - Date.parse(from))}</span> : <RunningDuration from={from} />;
}

function RunningDuration({ from }: { from: string }) {
  const now = useNow();
  return <span>{formatDuration(Math.max(1_000, now - Date.parse(from))).replace(".0", "")}</span>;
}

/** Countdown to a moment; then "now". */
export function Countdown({ to }: { to: string }) {
  const left = Date.parse(to) - useNow();
  return <span>{left > 0 ? `in ${formatDuration(left)}` : "now"}</span>;
}
