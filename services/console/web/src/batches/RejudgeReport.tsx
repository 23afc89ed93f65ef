import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowRight } from "lucide-react";
import { ProblemState } from "@/api/ProblemState";
import type { Operation, RejudgeReport as Report } from "@/api/types";
import { OutcomeMark } from "@/judging/CriteriaList";
import { formatCount, formatMoney, formatPercent, pluralize, shortenId } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { CriterionDiffs } from "./CriterionDiffs";
import { reportQuery } from "./queries";

/** What judging jobs again came to: verdicts before and after, the criteria whose outcomes changed, and what flips. */
export function RejudgeReport({ batch }: { batch: Operation }) {
  const query = useInfiniteQuery(reportQuery(batch));
  const report = query.data?.pages[0];
  const flips = query.data?.pages.flatMap((page) => page.flips ?? []) ?? [];
  return (
    <section aria-label="Report" className="space-y-4">
      <h2 className="text-lg font-semibold">{batch.shadow ? "What would flip" : "What flipped"}</h2>
      <ProblemState error={query.error} />
      {query.isPending && (
        <Loading what="the report">
          <Skeleton className="h-40" />
        </Loading>
      )}
      {report && (
        <>
          <Sums report={report} judge={batch.judge} />
          {flips.length === 0 && report.judged > 0 && (
            <p className="text-muted">No verdict differs from the one before.</p>
          )}
          {flips.length > 0 && <Flips flips={flips} />}
          {query.hasNextPage && (
            <Button unavailable={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              More flips
            </Button>
          )}
          <CriterionDiffs criteria={report.criteria ?? []} />
        </>
      )}
    </section>
  );
}

function Sums({ report, judge }: { report: Report; judge?: string | null }) {
  const { judged, judged_before: both, accepted_before: before, accepted_after: after, flipped } = report;
  const failed = Object.entries(report.failed ?? {});
  return (
    <div className="space-y-1">
      <p>
        {pluralize(judged, "result")} judged again{judge && <> by {judge}</>}: accepted {formatCount(before)} of{" "}
        {formatCount(both)} before, {formatCount(after)} of {formatCount(judged)} now;{" "}
        <b className="font-medium">
          {formatCount(flipped)} {flipped === 1 ? "flips" : "flip"}
        </b>
        {both > 0 && ` (${formatPercent(flipped / both)})`}. It cost {formatMoney(report.cost_usd ?? 0)} and{" "}
        {formatCount(report.tokens ?? 0)} tokens.
      </p>
      {failed.length > 0 && (
        <p className="text-failed">
          Not judged:{" "}
          {failed.map(([code, number], at) => (
            <span key={code}>
              {at > 0 && ", "}
              {formatCount(number)} <code className="font-mono text-xs">{code}</code>
            </span>
          ))}
        </p>
      )}
    </div>
  );
}

function Flips({ flips }: { flips: NonNullable<Report["flips"]> }) {
  return (
    <ul aria-label="Flips" className="divide-y border-y">
      {flips.map(({ item, job_id: id, title, was_valid: was, is_valid: is, criteria = [], reason }) => (
        <li key={item} className="space-y-1 py-2">
          <div className="flex flex-wrap items-center gap-x-3">
            <Change before={was ? "pass" : "fail"} after={is ? "pass" : "fail"} words={["Accepted", "Not accepted"]} />
            <Link
              to="/jobs/$id"
              params={{ id }}
              title={id}
              className="min-w-0 font-medium wrap-anywhere hover:underline"
            >
              <bdi>{title || shortenId(id)}</bdi>
            </Link>
          </div>
          {criteria.map(({ text, before, after }) => (
            <p key={text} className="flex flex-wrap items-center gap-x-2 pl-4 text-muted">
              <Change before={before} after={after} />
              <bdi className="min-w-0 wrap-anywhere">{text}</bdi>
            </p>
          ))}
          {reason && (
            <p dir="auto" className="pl-4 text-xs text-muted wrap-anywhere">
              {reason}
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}

type ChangeProps = { before: string; after: string; words?: readonly [string, string] };

/** An outcome before and after. */
function Change({ before, after, words }: ChangeProps) {
  const mark = (outcome: string) => (
    <OutcomeMark outcome={outcome} word={words?.[outcome === "pass" ? 0 : 1]} withWord={words !== undefined} />
  );
  return (
    <span className="inline-flex items-center gap-1">
      {mark(before)}
      <ArrowRight aria-hidden size={14} className="text-muted" />
      <span className="sr-only">became</span>
      {mark(after)}
    </span>
  );
}
