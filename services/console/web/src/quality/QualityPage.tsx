import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { X } from "lucide-react";
import { useAgentNames } from "@/api/agents";
import { ReadState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { Quality, QualityPoint } from "@/api/types";
import { QualityPages } from "@/judging/QualityPages";
import { cn } from "@/lib/cn";
import { formatCount, formatPercent, pluralize } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { TimeChart } from "@/ui/display/TimeChart";
import { toIntlZone, useZone } from "@/ui/display/time";
import { QualityTables } from "./QualityTables";
import { qualityQuery } from "./queries";
import { parseQualitySearch, type QualitySearch, RANGES, type Range } from "./search";

const WORDS: Record<Range, string> = { "24h": "24 hours", "7d": "7 days", "31d": "31 days", "90d": "90 days" };

/** Page of what is accepted: over time, by agent, judge and criterion; and whether the judge is any good. */
export function QualityPage({ search: given }: { search: QualitySearch }) {
  const search = parseQualitySearch(given);
  useTitle("Quality");
  const range = search.range ?? "7d";
  const query = useQuery(qualityQuery(search, useTenant()));
  const quality = query.data;
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <QualityPages />
      <div className="flex flex-wrap items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">Quality</h1>
        <nav aria-label="Range" className="flex rounded border">
          {RANGES.map((each) => (
            <Link
              key={each}
              to="/quality"
              search={{ ...search, range: each }}
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
      <Chosen search={search} />
      <ReadState query={query} what="what was accepted">
        <div className="space-y-4">
          <Skeleton className="h-10" />
          <Skeleton className="h-[266px]" />
          <Skeleton className="h-80" />
        </div>
      </ReadState>
      {quality && (
        <div className={cn("space-y-6", query.isPlaceholderData && "opacity-60")} aria-busy={query.isFetching}>
          {quality.totals.judged + quality.totals.unjudged + quality.totals.compared === 0 ? (
            <EmptyState title="Nothing was judged in this range">
              <p>Look further back, or execute a job. What is judged is counted within a few seconds.</p>
            </EmptyState>
          ) : (
            <>
              <p className="min-h-10 text-lg">{describeTotals(quality, range, search)}</p>
              <AcceptedOverTime points={quality.points} range={range} />
              <QualityTables quality={quality} search={search} />
            </>
          )}
        </div>
      )}
    </div>
  );
}

/** Say in a sentence what all verdicts of the range came to. */
function describeTotals({ totals }: Quality, range: Range, { criterion }: QualitySearch): string {
  const { judged, acceptance_rate: rate, unjudged, flipped, compared } = totals;
  const passed = criterion ? "passed" : "accepted";
  const share = rate == null ? "" : `, ${formatPercent(rate)} ${passed}`;
  const open = unjudged > 0 ? `, ${formatCount(unjudged)} not ${criterion ? "assessed" : "judged"}` : "";
  const flips =
    compared > 0
      ? ` Of ${pluralize(compared, "judging")} of what had an end before, ${formatCount(flipped)} flipped.`
      : "";
  return `In the last ${WORDS[range]}: ${pluralize(judged, "result")} judged${share}${open}.${flips}`;
}

/** What alone is shown, each with the way back to all. */
function Chosen({ search }: { search: QualitySearch }) {
  const { nameOf } = useAgentNames();
  const { agent, judge, criterion } = search;
  const chosen = [
    agent && (["agent", "Agent", nameOf(agent)] as const),
    judge && (["judge", "Judge", judge] as const),
    criterion && (["criterion", "Criterion", criterion] as const),
  ].filter((each) => each !== undefined && each !== "");
  if (chosen.length === 0) return null;
  return (
    <ul aria-label="Only" className="flex flex-wrap gap-2">
      {chosen.map(([key, word, name]) => (
        <li key={key} className="inline-flex min-w-0 items-center gap-1 rounded border px-2">
          <span className="text-muted">{word}</span>
          <bdi className="min-w-0 wrap-anywhere">{name}</bdi>
          <Link
            to="/quality"
            search={{ ...search, [key]: undefined }}
            aria-label={`All, not only ${name}`}
            className="inline-flex size-6 items-center justify-center text-muted hover:text-text pointer-coarse:size-11"
          >
            <X aria-hidden size={14} />
          </Link>
        </li>
      ))}
    </ul>
  );
}

const DAY_MS = 86_400_000;

/** Chart of how much was accepted, from the first point on that has any. */
function AcceptedOverTime({ points, range }: { points: readonly QualityPoint[]; range: Range }) {
  const zone = toIntlZone(useZone()[0]);
  return (
    <TimeChart
      title="Accepted over time"
      hint="Of the results that were judged, those that were accepted by their first verdict."
      kind="line"
      times={points.map(({ at }) => formatPointTime(at, range, zone))}
      format={formatPercent}
      max={1}
      series={[
        {
          key: "accepted",
          word: "Accepted",
          ink: "var(--completed-ink)",
          values: points.map(({ acceptance_rate: rate }) => rate ?? null),
        },
      ]}
    />
  );
}

/** Format the time of a point: a day of UTC, where it is one. */
function formatPointTime(at: string, range: Range, zone?: string): string {
  const isDay = (range === "31d" || range === "90d") && Date.parse(at) % DAY_MS === 0;
  return new Intl.DateTimeFormat("en-GB", {
    ...(isDay ? { day: "numeric", month: "short" } : { weekday: "short", hour: "2-digit", minute: "2-digit" }),
    timeZone: isDay ? "UTC" : zone,
  }).format(Date.parse(at));
}
