import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { ReadState } from "@/api/ProblemState";
import type { Operation } from "@/api/types";
import { shortenId } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { Skeleton } from "@/ui/display/states";
import { BatchFigures } from "./BatchFigures";
import { BatchGroups } from "./BatchGroups";
import { BatchHead } from "./BatchHead";
import { BatchItems } from "./BatchItems";
import { hasEnded, isExecuting } from "./batch-state";
import {
  batchQuery,
  countItems,
  endedJobsQuery,
  groupsQuery,
  itemsQuery,
  NOT_MET,
  REFUSED,
  SHOWN_AT_FIRST,
} from "./queries";
import { RejudgeReport } from "./RejudgeReport";
import { useBatchEvents } from "./use-batch-events";

const ASKED_EVERY_MS = 2_000;

/** One batch: how far it is, how good, how dear, what did not go well by what it needs, and what is likely next. */
export function BatchPage({ id }: { id: string }) {
  const cached = useQuery(batchQuery(id)).data;
  const isUnderWay = cached !== undefined && !hasEnded(cached);
  const isLive = useBatchEvents(id, isUnderWay);
  const query = useQuery({ ...batchQuery(id), refetchInterval: isUnderWay && !isLive && ASKED_EVERY_MS });
  useTitle(`Batch ${shortenId(id)}`);
  const batch = query.data;
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <nav aria-label="Around this batch" className="text-muted">
        <Link to="/batches" className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> Batches
        </Link>
      </nav>
      <ReadState query={query} what="the batch">
        <div className="space-y-6">
          <Skeleton className="h-24" />
          <Skeleton className="h-40" />
        </div>
      </ReadState>
      {batch && (
        <>
          <BatchHead key={id} batch={batch} />
          <BatchFigures batch={batch} />
          <Link to="/jobs" search={{ batch: id }} className="inline-flex min-h-6 items-center text-accent underline">
            Its jobs in the list
          </Link>
          {batch.kind === "rejudge" && <RejudgeReport batch={batch} />}
          <Troubles batch={batch} />
        </>
      )}
    </div>
  );
}

/** What did not go well. It is held back until all of it is read, so that nothing moves once it is shown. */
function Troubles({ batch }: { batch: Operation }) {
  const hasFailures = countItems(batch, NOT_MET) > 0;
  const reads = [
    useQuery({ ...groupsQuery(batch), enabled: hasFailures && isExecuting(batch) }),
    useQuery({ ...itemsQuery(batch, NOT_MET, SHOWN_AT_FIRST), enabled: hasFailures }),
    useQuery({ ...endedJobsQuery(batch, NOT_MET), enabled: hasFailures }),
    useQuery({ ...itemsQuery(batch, REFUSED, SHOWN_AT_FIRST), enabled: countItems(batch, REFUSED) > 0 }),
  ];
  if (reads.some((read) => read.isLoading)) return <Skeleton className="h-80" />;
  return (
    <>
      <BatchItems
        batch={batch}
        outcomes={NOT_MET}
        name="Failures"
        title="Not met, or failed"
        none={!isExecuting(batch) ? undefined : hasEnded(batch) ? "None." : "None so far."}
      >
        {isExecuting(batch) && hasFailures && <BatchGroups batch={batch} />}
      </BatchItems>
      <BatchItems
        batch={batch}
        outcomes={REFUSED}
        name="Refusals"
        title="Refused"
        hint="These stay as they were: their status, or a limit, did not allow it."
      />
    </>
  );
}
