import { CircleDot, Pause, RefreshCw } from "lucide-react";
import { useEffect } from "react";
import { useNow } from "@/lib/clock";
import { formatTimeOfDay } from "@/lib/format";
import { useLive } from "@/live/use-live";
import { toIntlZone, useZone } from "@/ui/display/time";
import { announce } from "@/ui/feedback/announcer";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  "jobstore-away": "Jobstore away",
  "database-away": "Database away",
  reconnecting: "Reconnecting",
  paused: "Paused",
} as const;

/** State of the live connection, and when it last received an event. */
export function LivePill() {
  const view = useLive();
  const now = useNow();
  const [zone] = useZone();
  const heardAt = view.lastEventAt && formatTimeOfDay(view.lastEventAt, toIntlZone(zone));
  const word = view.state === "database-away" ? view.problem : WORDS[view.state];
  const heard = heardAt ? `Last heard of at ${heardAt}` : "No event received yet";
  useEffect(() => {
    if (view.state !== "live" && view.state !== "connecting") announce(word);
  }, [view.state, word]);
  const Icon = view.state === "live" ? CircleDot : view.state === "paused" ? Pause : RefreshCw;
  const wait = view.state === "reconnecting" ? Math.max(0, Math.ceil((view.retryAt - now) / 1_000)) : 0;
  return (
    <span
      data-live={view.state}
      className="inline-flex items-center gap-1.5 rounded px-2 whitespace-nowrap"
      title={view.state === "database-away" ? `${word}. To do: ${view.remedy}. ${heard}` : heard}
    >
      <Icon aria-hidden size={12} className={view.state === "live" ? "text-completed" : "text-resubmit"} />
      <span className="max-w-[60ch] truncate">
        {word}
        {wait > 0 && ` in ${wait} s`}
      </span>
      {heardAt && <span className="text-muted max-sm:hidden">· {heardAt}</span>}
    </span>
  );
}
