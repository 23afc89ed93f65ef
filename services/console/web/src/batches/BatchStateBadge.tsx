import type { Operation } from "@/api/types";
import { cn } from "@/lib/cn";
import { describeState } from "./batch-state";

/** The state of a batch in words, with its icon and colour. */
export function BatchStateBadge({ batch }: { batch: Operation }) {
  const { word, icon: Icon, ink, tint } = describeState(batch);
  const { state } = batch;
  return (
    <span
      data-state={state}
      className={cn(
        "inline-flex h-6 items-center gap-1 rounded px-1.5 text-xs font-medium whitespace-nowrap",
        ink,
        tint,
      )}
    >
      <Icon aria-hidden size={14} className={cn(state === "RUNNING" && "motion-safe:animate-spin")} />
      {word}
    </span>
  );
}
