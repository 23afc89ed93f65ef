import { Link } from "@tanstack/react-router";
import { ArrowUp } from "lucide-react";
import { useEffect } from "react";
import { toApiError } from "@/api/problem";
import { type JobsSearch, withoutUndefined } from "@/jobs/list/search/jobs-search";
import type { JobsList } from "@/jobs/list/state/queries";
import { cn } from "@/lib/cn";
import { formatCount, pluralize } from "@/lib/format";
import { UNSEEN_MAX } from "@/live/unseen-jobs";
import { Button, buttonLook } from "@/ui/controls/button";
import { Kbd } from "@/ui/display/kbd";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/display/states";
import { announce } from "@/ui/feedback/announcer";

type ListErrorProps = { error: Error; onRetry: () => void; onClear: () => void };
const INVALID = 422;

/** Error in place of the list; when the filter is refused, a button clears it. */
export function ListError({ error, onRetry, onClear }: ListErrorProps) {
  const { status, title, detail, code, requestId, fields } = toApiError(error);
  const said = fields.map(({ field, message }) => `${field}: ${message}`).join("; ");
  const isInvalid = status === INVALID;
  return (
    <div className="space-y-3 p-4">
      <ErrorState
        title={title}
        detail={said || detail}
        code={code}
        requestId={requestId}
        onRetry={isInvalid ? undefined : onRetry}
      />
      {isInvalid && <Button onClick={onClear}>Clear the filters</Button>}
    </div>
  );
}

export function RowPlaceholders() {
  return (
    <Loading what="jobs">
      {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
        <div key={key} className="flex h-10 items-center border-b px-3">
          <Skeleton className="h-4 w-full" />
        </div>
      ))}
    </Loading>
  );
}

export function EmptyList({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return isFiltered ? (
    <EmptyState title="No job matches" action={<Button onClick={onClear}>Clear the filters</Button>}>
      <p>Remove a filter, or look further back in time.</p>
    </EmptyState>
  ) : (
    <EmptyState
      title="No jobs yet"
      action={
        <Link to="/new" search={{}} className={buttonLook({ kind: "primary" })}>
          Make the first one
        </Link>
      }
      command="signoff demo"
    >
      <p>A job says what is to be done, by which agent, and which criteria its result must meet.</p>
    </EmptyState>
  );
}

/** Describe what was left out: a list is sorted, or searched for a text or without values, among so many of the newest. */
const describeBound = (among: number, search: JobsSearch) =>
  search.text === undefined && Object.keys(withoutUndefined(search)).every((name) => !/^not(?!Status)/.test(name))
    ? `sorted among the newest ${formatCount(among)} that match`
    : `searched among the newest ${formatCount(among)}: older ones may be missing`;

/** Footer of the list: how many jobs are loaded, and a button to read on where scrolling does not. */
export function ListFooter({ list, search }: { list: JobsList; search: JobsSearch }) {
  const { jobs, searched, query } = list;
  const { text } = search;
  const among = query.data?.pages.at(-1)?.searched;
  const bound = among == null ? "" : `, ${describeBound(among, search)}`;
  const read =
    searched === undefined
      ? `${pluralize(jobs.length, "job")} loaded${bound}${query.hasNextPage ? ", and there are more; scroll on" : ""}`
      : `${pluralize(jobs.length, "job")} found${text ? ` with “${text}”` : ""} among ${formatCount(searched)}; there are more to search`;
  const verb = query.isFetchNextPageError ? "Try again" : searched === undefined ? null : "Search on";
  return (
    <div className={cn("flex items-center gap-2 border-t px-4 py-1 text-xs text-muted", !query.data && "invisible")}>
      <p role={verb ? "status" : undefined}>
        {query.isFetchNextPageError ? `${pluralize(jobs.length, "job")} loaded; more could not be read` : read}
      </p>
      {verb && (
        <Button size="small" aria-busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {verb}
        </Button>
      )}
    </div>
  );
}

/** Button that shows how many new jobs wait and reads them, so that no row moves by itself. */
export function NewRowsPill({ number, onShow }: { number: number; onShow: () => void }) {
  const text = number < UNSEEN_MAX ? pluralize(number, "new job") : `${formatCount(UNSEEN_MAX)} new jobs or more`;
  useEffect(() => {
    if (number > 0) announce(text);
  }, [number, text]);
  return (
    <div className="pointer-events-none absolute inset-x-0 top-10 z-20 flex justify-center">
      {number > 0 && (
        <Button kind="primary" size="small" className="pointer-events-auto rounded-full shadow-lg" onClick={onShow}>
          <ArrowUp aria-hidden size={12} /> {text} <Kbd>n</Kbd>
        </Button>
      )}
    </div>
  );
}
