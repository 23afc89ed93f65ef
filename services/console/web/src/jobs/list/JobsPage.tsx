import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useRefusal } from "@/api/me";
import { useTenant } from "@/api/tenants";
import { COLUMNS, type ColumnId } from "@/jobs/fields";
import { BulkActions } from "@/jobs/list/bulk/BulkActions";
import { useSelection } from "@/jobs/list/bulk/use-selection";
import { FilterBar, SortChoice } from "@/jobs/list/filters/FilterBar";
import { SavedViews } from "@/jobs/list/filters/SavedViews";
import { StatusCounts } from "@/jobs/list/filters/StatusCounts";
import { copiesOfList } from "@/jobs/list/search/copies";
import { isFiltered, type JobsSearch } from "@/jobs/list/search/jobs-search";
import { useSearchChanges } from "@/jobs/list/search/use-search-changes";
import { rememberList, useCurrentRow } from "@/jobs/list/state/list-memory";
import { countsQuery, useJobs } from "@/jobs/list/state/queries";
import { useNewJobCount } from "@/jobs/list/state/use-new-jobs";
import { useReadWaiting, WaitingNow } from "@/jobs/list/state/use-waiting";
import { JobsTable } from "@/jobs/list/table/JobsTable";
import { ColumnChoice } from "@/jobs/list/table/TableHead";
import { useShortcuts } from "@/lib/shortcuts";
import { useStoredChoice } from "@/lib/stored-choice";
import { useMedia } from "@/lib/use-media";
import { useTitle } from "@/lib/use-title";
import { refetchJobs } from "@/live/apply-changes";
import { Button } from "@/ui/controls/button";
import { CopyMenu } from "@/ui/overlays/copy-menu";
import { EmptyList, ListError, ListFooter, NewRowsPill, RowPlaceholders } from "./ListStates";

const HIDDEN_AT_FIRST = COLUMNS.filter(({ isHidden }) => isHidden).map(({ id }) => id);

/** Page of the list of jobs, filtered as the address says, and by the chosen tenant where it names none. */
export function JobsPage({ search: inAddress }: { search: JobsSearch }) {
  useTitle("Jobs");
  const client = useQueryClient();
  const tenant = useTenant();
  const search = useMemo(() => withTenant(inAddress, tenant), [inAddress, tenant]);
  const { show, clear, change, toggle, sort } = useSearchChanges(search);
  const list = useJobs(search);
  const { jobs, query } = list;
  const counts = useQuery(countsQuery(search)).data;
  const waiting = useReadWaiting(search, jobs);
  const [hidden, setHidden] = useStoredChoice<ColumnId[]>("columns.hidden", HIDDEN_AT_FIRST);
  const isNarrow = useMedia("(max-width: 640px)");
  const place = useCurrentRow(inAddress, jobs);
  const { current } = place;
  const selection = useSelection(jobs, place.left?.selected);
  useEffect(() => rememberList(inAddress, { selected: selection.ids }), [inAddress, selection.ids]);
  const box = useRef<HTMLDivElement>(null);
  const text = useRef<HTMLInputElement>(null);

  const showNew = () => {
    refetchJobs(client);
    box.current?.scrollTo?.({ top: 0 });
  };
  useShortcuts({
    j: () => place.step(1),
    k: () => place.step(-1),
    x: () => current && selection.choose(current, !selection.ids.has(current), false),
    "Shift+x": () => current && selection.choose(current, true, true),
    n: showNew,
    "/": () => text.current?.focus(),
    "Shift+/": () => text.current?.focus(),
    Escape: selection.clear,
  });

  return (
    <div className="flex h-full flex-col">
      <div className="space-y-1 px-4 pt-3">
        <h1 className="sr-only">Jobs</h1>
        <div className="flex flex-wrap items-start justify-between gap-2">
          <FilterBar search={search} onChange={change} onClear={clear} textRef={text} />
          <div className="flex gap-2">
            {isNarrow && <SortChoice search={search} onChange={change} />}
            <SavedViews search={inAddress} onOpen={show} />
            {!isNarrow && <ColumnChoice hidden={hidden} onChange={setHidden} />}
            <CopyMenu copies={copiesOfList(search)} />
            <NewJob />
          </div>
        </div>
        <div className="flex items-center justify-between gap-2">
          <StatusCounts
            counts={counts}
            chosen={search.status ?? []}
            onToggle={toggle}
            isCancelled={search.cancelled === true}
            onCancelled={() => change({ cancelled: search.cancelled ? undefined : true })}
          />
          {!isNarrow && <SortChoice search={search} onChange={change} />}
        </div>
      </div>
      <div className="relative min-h-0 grow border-t">
        <NewRowsPill number={useNewJobCount(search, jobs)} onShow={showNew} />
        <section
          ref={box}
          tabIndex={0}
          aria-label="List of jobs"
          aria-busy={query.isFetching}
          className="h-full overflow-auto"
          onScroll={(event) => rememberList(inAddress, { top: event.currentTarget.scrollTop })}
        >
          {query.error && !query.data && (
            <ListError error={query.error} onRetry={() => void query.refetch()} onClear={clear} />
          )}
          {(query.isPending || jobs.length > 0) && (
            <WaitingNow value={waiting}>
              <JobsTable
                key={isNarrow ? "cards" : "rows"}
                jobs={jobs}
                search={search}
                hidden={hidden}
                isNarrow={isNarrow}
                selected={selection.ids}
                current={current}
                onCurrent={place.setCurrent}
                wanted={place.wanted}
                onFocused={place.onFocused}
                top={place.left?.top ?? 0}
                onSelect={selection.select}
                onChoose={selection.choose}
                onSort={sort}
                onNearEnd={list.more}
                box={box}
              />
            </WaitingNow>
          )}
          {query.isPending && <RowPlaceholders />}
          {query.data && jobs.length === 0 && list.searched === undefined && (
            <EmptyList isFiltered={isFiltered(search)} onClear={clear} />
          )}
        </section>
      </div>
      <BulkActions
        selected={selection.jobs}
        isAll={jobs.length > 0 && selection.jobs.length === jobs.length}
        hasMore={query.hasNextPage}
        search={search}
        onClear={selection.clear}
      />
      <ListFooter list={list} search={search} />
    </div>
  );
}

const withTenant = (search: JobsSearch, tenant: string | null): JobsSearch =>
  tenant === null || search.tenant !== undefined ? search : { ...search, tenant };

/** Link to the form of a new job; where one may make none, a button that says why. */
function NewJob() {
  const refused = useRefusal()("create_job");
  const content = (
    <>
      <Plus aria-hidden size={14} /> <span className="max-sm:sr-only">New job</span>
    </>
  );
  if (refused) return <Button reason={refused}>{content}</Button>;
  return (
    <Link to="/new" search={{}} className={NEW_JOB}>
      {content}
    </Link>
  );
}

const NEW_JOB =
  "inline-flex h-8 items-center gap-1.5 rounded bg-accent px-3 font-medium text-on-accent hover:opacity-90 pointer-coarse:h-11";
