import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useAgentNames } from "@/api/agents";
import type { WaitingSum, WaitReason } from "@/api/types";
import { formatCount, formatExactTime, pluralize } from "@/lib/format";
import { Countdown, Duration } from "@/ui/display/duration";
import { toIntlZone, useZone } from "@/ui/display/time";
import { countWaiting, describeCause, describeEnd, describeOwner, findRemedyPage, joinReason } from "./waiting";

/** What a reason of one job and of many has in common. */
type AnyReason = Pick<WaitReason, "code" | "name" | "owner" | "remedy"> & Partial<WaitReason>;

/** Reason why something waits, in a line: in words, until when, and all else on hover. */
export function ReasonLine({ reason }: { reason: AnyReason }) {
  const { nameOf } = useAgentNames();
  const [zone] = useZone();
  const exact = (at: string) => formatExactTime(Date.parse(at), toIntlZone(zone));
  const { since, until, owner, remedy } = reason;
  const words = describeCause(reason, nameOf);
  const title = [
    words,
    since && `since ${exact(since)}`,
    until && `until ${exact(until)}`,
    `${describeOwner(owner)}: ${remedy}`,
  ];
  return (
    <span title={title.filter(Boolean).join("\n")}>
      <RemedyLink reason={reason} className="hover:underline">
        {words}
      </RemedyLink>
      {until ? (
        <>
          {describeEnd(reason.code)}
          <Countdown to={until} />
        </>
      ) : (
        since && (
          <>
            , <Duration from={since} />
          </>
        )
      )}
    </span>
  );
}

/** Link to the page that can lift a reason; without such a page, its children alone. */
function RemedyLink({ reason, ...props }: { reason: AnyReason; className?: string; children: string }) {
  const page = findRemedyPage(reason);
  if (!page) return <bdi>{props.children}</bdi>;
  if (page.to === "/batches/$id") return <Link to={page.to} params={{ id: page.id }} {...props} />;
  return <Link to={page.to} search={{}} {...props} />;
}

const SUMS_SHOWN = 3;

/** `within`: the filter of the jobs that the sums are of, such as those of a batch. */
type WaitingSumsProps = { sums: readonly WaitingSum[]; within?: { batch?: string } };

/** What many executions wait for, in one line: "Of 412 waiting, 390: limit tenant:press is reached"; each opens its jobs. */
export function WaitingSums({ sums, within }: WaitingSumsProps) {
  const [isWhole, setIsWhole] = useState(false);
  const { nameOf } = useAgentNames();
  const left = isWhole ? 0 : sums.length - SUMS_SHOWN;
  if (sums.length === 0) return <p className="min-h-6 text-muted">Nothing waits.</p>;
  return (
    <p className="min-h-6 wrap-anywhere">
      Of {formatCount(countWaiting(sums))} waiting,{" "}
      {sums.slice(0, isWhole ? undefined : SUMS_SHOWN).map((sum, index) => (
        <span key={`${sum.code} ${sum.name}`}>
          {index > 0 && "; "}
          <Link
            to="/jobs"
            search={{ ...within, reason: [joinReason(sum)] }}
            aria-label={`${pluralize(sum.count, "job")} that wait: ${describeCause(sum, nameOf)}`}
            className="font-medium text-accent underline"
          >
            {formatCount(sum.count)}
          </Link>
          : <ReasonLine reason={sum} />
        </span>
      ))}
      {left > 0 && (
        <>
          ;{" "}
          <button type="button" className="text-accent underline" onClick={() => setIsWhole(true)}>
            {left === 1 ? "1 more reason" : `${left} more reasons`}
          </button>
        </>
      )}
    </p>
  );
}
