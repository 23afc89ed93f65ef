import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { asApiError } from "@/api/problem";
import type { JobsPage as Answer, JobStatus } from "@/api/types";
import { cn } from "@/lib/cn";
import { count, counted } from "@/lib/format";
import { useKeys } from "@/lib/keys";
import { useChoice } from "@/lib/storage";
import { useMedia } from "@/lib/use-media";
import { useTitle } from "@/lib/use-title";
import { refetchJobs } from "@/live/apply";
import { useUnseen } from "@/live/use-live";
import { Button } from "@/ui/button";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/states";
import { countsQuery, jobsQuery, PAGE_SIZE } from "../queries";
import { BulkActions } from "./BulkActions";
import { ColumnChoice } from "./ColumnChoice";
import { type ColumnId, HIDDEN_AT_FIRST } from "./columns";
import { FilterBar } from "./FilterBar";
import { isFiltered, type JobsSearch, type Sort } from "./filters";
import { JobsTable } from "./JobsTable";
import { NewRowsPill } from "./NewRowsPill";
import { rememberList } from "./neighbours";
import { SavedViews } from "./SavedViews";
import { StatusCounts } from "./StatusCounts";
import { useSelection } from "./use-selection";

/** The jobs, as the address says which. */
export function JobsPage({ search }: { search: JobsSearch }) {
  useTitle("Jobs");
  const client = useQueryClient();
  const navigate = useNavigate();
  const list = useInfiniteQuery(jobsQuery(search));
  const counts = useQuery(countsQuery(search)).data;
  const jobs = useMemo(() => list.data?.pages.flatMap((page) => page.items) ?? [], [list.data]);
  const [hidden, setHidden] = useChoice<ColumnId[]>("columns.hidden", HIDDEN_AT_FIRST);
  const isNarrow = useMedia("(max-width: 640px)");
  const [current, setCurrent] = useState<string | null>(null);
  const selection = useSelection(jobs);
  const news = useUnseen().size;
  const box = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLInputElement>(null);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const searched = searchedOf(list.data?.pages);
  useEffect(
    () =>
      rememberList(
        jobs.map((job) => job.id),
        search,
      ),
    [jobs, search],
  );

  const show = (next: JobsSearch, replace = false) => void navigate({ to: "/", search: next, replace });
  const change = (part: Partial<JobsSearch>, replace?: boolean) => show({ ...search, ...part }, replace);
  const toggle = (status: JobStatus) => {
    const chosen = search.status ?? [];
    const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
    change({ status: next.length > 0 ? next : undefined });
  };
  const sort = (by: Sort) => {
    const isTurned = (search.sort ?? "created") === by && !search.ascending;
    change({ sort: by === "created" ? undefined : by, ascending: isTurned ? true : undefined });
  };
  const showNew = () => {
    refetchJobs(client);
    box.current?.scrollTo?.({ top: 0 });
  };
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && searched === undefined) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage, searched]);
  const step = (by: number) => {
    const place = jobs.findIndex((job) => job.id === current);
    const next = jobs[Math.max(0, Math.min(jobs.length - 1, place + by))];
    if (next) setCurrent(next.id);
  };
  const open = () => current && void navigate({ to: "/jobs/$id", params: { id: current } });
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    x: () => current && selection.toggle(current),
    Enter: open,
    n: showNew,
    "/": () => text.current?.focus(),
    Escape: selection.clear,
  });
  const error = list.error && !list.data ? asApiError(list.error) : null;

  return (
    <div className="flex h-full flex-col">
      <div className="space-y-1 px-4 pt-3">
        <h1 className="sr-only">Jobs</h1>
        <div className="flex flex-wrap items-start justify-between gap-2">
          <FilterBar search={search} isNarrow={isNarrow} onChange={change} onClear={() => show({})} textRef={text} />
          <div className="flex gap-2">
            <SavedViews search={search} onOpen={show} />
            {!isNarrow && <ColumnChoice hidden={hidden} onChange={setHidden} />}
            <Link to="/new" search={{}} className={NEW_JOB}>
              <Plus aria-hidden size={14} /> New job
            </Link>
          </div>
        </div>
        <StatusCounts counts={counts} chosen={search.status ?? []} onToggle={toggle} />
      </div>
      <div className="relative min-h-0 grow border-t">
        <NewRowsPill number={news} onShow={showNew} />
        <section
          ref={box}
          tabIndex={0}
          aria-label="List of jobs"
          aria-busy={list.isFetching}
          className="h-full overflow-auto"
        >
          {error && (
            <ErrorState
              {...error}
              title={error.title}
              detail={error.detail}
              className="m-4"
              onRetry={() => void list.refetch()}
            />
          )}
          {list.isPending && <Rows />}
          {list.data && jobs.length === 0 && searched === undefined && <Nothing isFiltered={isFiltered(search)} />}
          {jobs.length > 0 && (
            <JobsTable
              key={isNarrow ? "cards" : "rows"}
              jobs={jobs}
              search={search}
              hidden={hidden}
              isNarrow={isNarrow}
              selected={selection.ids}
              current={current}
              onSelect={selection.select}
              onSort={sort}
              onNearEnd={more}
              box={box}
            />
          )}
        </section>
      </div>
      <BulkActions selected={selection.jobs} search={search} onClear={selection.clear} />
      <div
        className={cn("flex items-center gap-2 border-t px-4 py-1 text-xs text-muted", list.isPending && "invisible")}
      >
        <p role={searched === undefined ? undefined : "status"}>
          {searched === undefined
            ? `${counted(jobs.length, "job")} loaded${hasNextPage ? ", and there are more; scroll on" : ""}`
            : `${counted(jobs.length, "job")} found with “${search.text}” among ${count(searched)}; there are more to search`}
        </p>
        {searched !== undefined && (
          <Button size="small" aria-busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
            Search on
          </Button>
        )}
      </div>
    </div>
  );
}

/** How many jobs were searched for a text so far, where the search waits to be told to go on; a full page goes on. */
function searchedOf(pages: readonly Answer[] | undefined): number | undefined {
  const last = pages?.at(-1);
  if (!last?.next_cursor || last.searched == null || last.items.length >= PAGE_SIZE) return undefined;
  return pages?.reduce((sum, page) => sum + (page.searched ?? 0), 0);
}

const NEW_JOB =
  "inline-flex h-8 items-center gap-1.5 rounded bg-accent px-3 font-medium text-on-accent hover:opacity-90 pointer-coarse:h-11";

function Rows() {
  return (
    <Loading what="jobs">
      <div className="pt-8">
        {["a", "b", "c", "d", "e", "f", "g", "h"].map((key) => (
          <div key={key} className="flex h-10 items-center border-b px-3">
            <Skeleton className="h-4 w-full" />
          </div>
        ))}
      </div>
    </Loading>
  );
}

function Nothing({ isFiltered: isNarrow }: { isFiltered: boolean }) {
  return isNarrow ? (
    <EmptyState title="No job matches">
      <p>Take a filter away, or look further back in time.</p>
    </EmptyState>
  ) : (
    <EmptyState title="No jobs yet">
      <p>
        Create one here, or run <code className="font-mono">signoff demo</code>.
      </p>
    </EmptyState>
  );
}
