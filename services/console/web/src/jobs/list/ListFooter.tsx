import { type JobsSearch, withoutUndefined } from "@/jobs/list/search/jobs-search";
import type { JobsList } from "@/jobs/list/state/use-jobs";
import { cn } from "@/lib/cn";
import { formatCount, pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";

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
