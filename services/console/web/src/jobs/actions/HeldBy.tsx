import type { Hold } from "@/api/types";
import { Time } from "@/ui/display/time";

/** Who holds a job, since when and why. */
export function HeldBy({ hold: { actor, reason, created_at: at } }: { hold: Hold }) {
  return (
    <span className="wrap-anywhere">
      by <bdi>{actor}</bdi> <Time at={at} />
      {reason && (
        <>
          : <bdi>{reason}</bdi>
        </>
      )}
    </span>
  );
}
