import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ReadState } from "@/api/ProblemState";
import { SystemPages } from "@/api/SystemPages";
import { useTenant } from "@/api/tenants";
import { WaitingSums } from "@/jobs/model/ReasonLine";
import { cn } from "@/lib/cn";
import { useTitle } from "@/lib/use-title";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { ExactTime } from "@/ui/display/time";
import { Charts } from "./Charts";
import { type OverviewSearch, overviewQuery, RANGES, type Range } from "./queries";
import { fromFirstData } from "./series";
import { Tiles } from "./Tiles";

const PLACES = ["throughput", "acceptance", "depth", "wait", "agent", "judge", "duration", "cost", "created"];
const WORDS: Record<Range, string> = { "1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days" };

/** Overview page: the whole system now and over time. */
export function OverviewPage({ search }: { search: OverviewSearch }) {
  useTitle("System");
  const range = search.range ?? "1h";
  const overview = useQuery(overviewQuery(range, useTenant()));
  const points = fromFirstData(overview.data?.points ?? []);
  const isLater = points[0]?.at !== overview.data?.points[0]?.at;
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <SystemPages />
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">System</h1>
        <nav aria-label="Range" className="flex rounded border">
          {RANGES.map((each) => (
            <Link
              key={each}
              to="/system"
              search={{ range: each }}
              aria-label={`${each}: the last ${WORDS[each]}`}
              aria-current={each === range ? "true" : undefined}
              className={cn(
                "inline-flex h-8 items-center px-3 pointer-coarse:h-11",
                each === range ? "bg-running-tint font-medium text-text" : "text-muted hover:text-text",
              )}
            >
              {each}
            </Link>
          ))}
        </nav>
      </div>
      <ReadState query={overview} what="the overview">
        <div className="space-y-3">
          <Skeleton className="h-20" />
          <Skeleton className="h-20" />
          <Places />
        </div>
      </ReadState>
      {overview.data && (
        <div className={cn("space-y-4", overview.isPlaceholderData && "opacity-60")} aria-busy={overview.isFetching}>
          <Tiles overview={overview.data} />
          <section aria-label="Why executions wait">
            <WaitingSums sums={overview.data.waiting ?? []} />
          </section>
          {points.length === 0 ? (
            <EmptyState title="Nothing happened in this range">
              <p>Look further back, or execute a job.</p>
            </EmptyState>
          ) : (
            <>
              {isLater && (
                <p className="text-muted">
                  Nothing happened in this range before <ExactTime at={points[0]?.at ?? ""} />.
                </p>
              )}
              <div className="grid gap-4 lg:grid-cols-2">
                <Charts points={points} range={range} />
              </div>
            </>
          )}
        </div>
      )}
    </div>
  );
}

/** Placeholders of the charts. */
function Places() {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      {PLACES.map((place) => (
        <Skeleton key={place} className="h-[266px]" />
      ))}
    </div>
  );
}
