import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import { ReadState } from "@/api/ProblemState";
import { WaitingSums } from "@/jobs/model/ReasonLine";
import { shortenId } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { CopyButton } from "@/ui/controls/copy-button";
import { Skeleton } from "@/ui/display/states";
import { BatchActions } from "./BatchActions";
import { BatchFacts } from "./BatchFacts";
import { BatchItems } from "./BatchItems";
import { BatchBar, BatchLegend, share } from "./BatchProgress";
import { BatchStateBadge } from "./BatchStateBadge";
import { describeOperation, hasEnded, isExecuting } from "./batch-state";
import { batchQuery, NOT_MET, REFUSED } from "./queries";
import { RejudgeReport } from "./RejudgeReport";
import { useBatchEvents } from "./use-batch-events";

const ASKED_EVERY_MS = 2_000;

/** One batch: how far it is, what can be done with it, and what did not go well. */
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
          <Skeleton className="h-40" />
          <Skeleton className="h-40" />
        </div>
      </ReadState>
      {batch && (
        <>
          <header className="space-y-3 border-b pb-4">
            <div className="flex flex-wrap items-start justify-between gap-3">
              <div className="flex flex-wrap items-center gap-2">
                <BatchStateBadge batch={batch} />
                <h1 className="text-xl font-semibold wrap-anywhere">
                  {batch.name && (
                    <>
                      <bdi>{batch.name}</bdi>:{" "}
                    </>
                  )}
                  {describeOperation(batch)}
                </h1>
                <span className="flex items-center font-mono text-xs text-muted" title={id}>
                  {shortenId(id)}
                  <CopyButton text={id} label="Copy the id" />
                </span>
              </div>
              <BatchActions batch={batch} />
            </div>
            <div className="flex items-center gap-3">
              <BatchBar batch={batch} className="h-3 grow" />
              <span className="w-12 text-right font-medium">{share(batch)}</span>
            </div>
            <BatchLegend batch={batch} />
            {!hasEnded(batch) && <WaitingSums sums={batch.waiting ?? []} within={{ batch: id }} />}
            <BatchFacts batch={batch} />
            <Link to="/jobs" search={{ batch: id }} className="inline-flex min-h-6 items-center text-accent underline">
              Its jobs in the list
            </Link>
          </header>
          {batch.kind === "rejudge" && <RejudgeReport batch={batch} />}
          <BatchItems
            batch={batch}
            outcomes={NOT_MET}
            name="Failures"
            title="Not met, or failed"
            none={!isExecuting(batch) ? undefined : hasEnded(batch) ? "None." : "None so far."}
          />
          <BatchItems
            batch={batch}
            outcomes={REFUSED}
            name="Refusals"
            title="Refused"
            hint="These stay as they were: their status, or a limit, did not allow it."
          />
        </>
      )}
    </div>
  );
}
