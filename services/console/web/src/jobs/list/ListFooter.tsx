import type { JobsList } from "@/jobs/list/state/use-jobs";
import { cn } from "@/lib/cn";
import { formatCount, pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";

/** Footer of the list: how many jobs are loaded, and a button to read on where scrolling does not. */
export function ListFooter({ list, text }: { list: JobsList; text: string | undefined }) {
  const { jobs, searched, query } = list;
  const among = query.data?.pages.at(-1)?.searched;
  const sorted =
    text === undefined && among != null ? `, sorted among the newest ${formatCount(among)} that match` : "";
  const read =
    searched === undefined
      ? `${pluralize(jobs.length, "job")} loaded${sorted}${query.hasNextPage ? ", and there are more; scroll on" : ""}`
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
