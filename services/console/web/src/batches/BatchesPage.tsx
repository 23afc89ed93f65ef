import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ReadState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { Operation } from "@/api/types";
import { formatCount, shortenId } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { Button, buttonLook } from "@/ui/controls/button";
import { LabelledValue } from "@/ui/display/labelled-value";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { BatchEnd, formatAcceptance, formatCost } from "./BatchFigures";
import { BatchBar, share } from "./BatchProgress";
import { BatchStateBadge } from "./BatchStateBadge";
import { describeOperation, hasEnded } from "./batch-state";
import { batchesQuery } from "./queries";

const ASKED_EVERY_MS = 2_000;
const COLUMNS = {
  State: "w-36 xl:w-40",
  Batch: "",
  By: "w-28 xl:w-36",
  Progress: "w-40 xl:w-64",
  Accepted: "w-24 text-right",
  Cost: "w-24 text-right xl:w-28",
  When: "w-36 xl:w-40",
};

/** The batches, newest first, each with how far it is. */
export function BatchesPage() {
  useTitle("Batches");
  const list = useInfiniteQuery({
    ...batchesQuery(useTenant()),
    refetchInterval: ({ state }) =>
      state.data?.pages[0]?.items.some((batch) => !hasEnded(batch)) ? ASKED_EVERY_MS : false,
  });
  const batches = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <h1 className="text-xl font-semibold">Batches</h1>
      <ReadState query={list} what="batches">
        <div className="space-y-2">
          <Skeleton className="h-12" />
          <Skeleton className="h-12" />
          <Skeleton className="h-12" />
        </div>
      </ReadState>
      {list.data && batches.length === 0 && (
        <EmptyState
          title="No batches yet"
          action={
            <Link to="/jobs" search={{}} className={buttonLook({ kind: "primary" })}>
              Choose jobs
            </Link>
          }
          command="signoff bulk execute --status assigned"
        >
          <p>Select jobs in the list, or filter it, and execute them as a batch.</p>
        </EmptyState>
      )}
      {batches.length > 0 && (
        <table className="block w-full table-fixed border-collapse lg:table">
          <caption className="sr-only">Batches</caption>
          <thead className="max-lg:sr-only">
            <tr className="h-8 border-b text-left">
              {Object.entries(COLUMNS).map(([name, width]) => (
                <th key={name} scope="col" className={`px-2 font-medium text-muted ${width}`}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody className="max-lg:block">
            {batches.map((batch) => (
              <Row key={batch.id} batch={batch} />
            ))}
          </tbody>
        </table>
      )}
      {list.hasNextPage && (
        <Button unavailable={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Older batches
        </Button>
      )}
    </div>
  );
}

const CELL = "lg:h-12 lg:px-2";

function Row({ batch }: { batch: Operation }) {
  return (
    <tr className="border-b hover:bg-sunken max-lg:flex max-lg:flex-wrap max-lg:items-center max-lg:gap-x-3 max-lg:gap-y-1 max-lg:py-2">
      <td className={CELL}>
        <BatchStateBadge batch={batch} />
      </td>
      <td className={CELL}>
        <Link to="/batches/$id" params={{ id: batch.id }} className="font-medium hover:underline">
          {batch.name && (
            <>
              <bdi>{batch.name}</bdi>:{" "}
            </>
          )}
          {describeOperation(batch)}{" "}
          <span className="font-mono text-xs whitespace-nowrap text-muted">{shortenId(batch.id)}</span>
        </Link>
        {batch.retry_of && <span className="text-xs whitespace-nowrap text-muted"> · of what failed in another</span>}
      </td>
      <td className={`${CELL} text-muted`}>
        <LabelledValue name="By">
          <bdi className="wrap-anywhere">{batch.actor || "–"}</bdi>
        </LabelledValue>
      </td>
      <td className={`${CELL} max-lg:w-full`}>
        <div className="flex items-center gap-2">
          <BatchBar batch={batch} className="grow" />
          <span className="w-12 text-right">{share(batch)}</span>
        </div>
        <FailedOf batch={batch} />
      </td>
      <td className={`${CELL} whitespace-nowrap tabular-nums lg:text-right`}>
        <LabelledValue name="Accepted">{formatAcceptance(batch)}</LabelledValue>
      </td>
      <td className={`${CELL} whitespace-nowrap tabular-nums lg:text-right`}>
        <LabelledValue name="Cost">{formatCost(batch)}</LabelledValue>
      </td>
      <td className={`${CELL} whitespace-nowrap text-muted`}>
        <Time at={batch.created_at} />
        <p className="text-xs">
          <BatchEnd batch={batch} />
        </p>
      </td>
    </tr>
  );
}

/** What failed of a batch, in words; the line keeps its height while nothing did. */
function FailedOf({ batch }: { batch: Operation }) {
  const { FAILED: failed, REJECTED: rejected, RESUBMISSION_REQUIRED: again, REFUSED: refused } = batch.counts;
  const parts = [
    failed && `${formatCount(failed)} failed`,
    rejected && `${formatCount(rejected)} rejected`,
    again && `${formatCount(again)} to resubmit`,
    refused && `${formatCount(refused)} refused`,
  ];
  return <p className="min-h-4 text-xs text-failed">{parts.filter(Boolean).join(", ")}</p>;
}
