import { Maximize2, Minimize2 } from "lucide-react";
import { lazy, Suspense, useRef } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { Job, JobLog, Waiting } from "@/api/types";
import { findCurrentError, JobErrorPanel } from "@/jobs/detail/errors/JobErrorPanel";
import { JobProgress, LastExecution } from "@/jobs/detail/standing/JobProgress";
import type { Submission } from "@/jobs/model/submissions";
import { CriteriaList } from "@/judging/CriteriaList";
import { VerdictPanel } from "@/judging/VerdictPanel";
import { cn } from "@/lib/cn";
import { loadPart } from "@/lib/load-part";
import { isMarkdown } from "@/results/model/inspect-result";
import { ResultPreview } from "@/results/ResultPreview";
import { PlainText } from "@/results/views/PlainText";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { SubmissionChoice } from "./SubmissionChoice";
import { useShownSubmission } from "./use-shown-submission";
import { useStickyTop } from "./use-sticky-top";

const MarkdownText = lazy(() => loadPart(() => import("@/results/views/MarkdownText")));

type ResultSectionProps = {
  job: Job;
  /** All entries that are known, oldest first. */
  logs: readonly JobLog[];
  submissions: readonly Submission[];
  /** Why it waits, where that is known. */
  waiting?: Waiting;
  isPending: boolean;
  /** Whether the result has the width of the window, with the verdict beside it. */
  isWide: boolean;
  onWide: () => void;
  /** Whether the page was left and is there again: then it stays where it was. */
  wasThere: boolean;
  /** Whether only the archive has it. */
  isArchived?: boolean;
};

// What follows is not seen before all of this is there: nothing of it moves.
const COLUMNS = "peer grid gap-x-8 gap-y-6";
const HALVES = "lg:grid-cols-[minmax(20rem,2fr)_3fr]";
const WIDE = "lg:grid-cols-[minmax(18rem,1fr)_3fr]";

/** Where a job stands and its verdict, beside the result that is spoken of. */
export function ResultSection(props: ResultSectionProps) {
  const { job, logs, submissions, waiting, isPending, isWide, onWide, wasThere, isArchived = false } = props;
  const result = useShownSubmission(job.id, submissions, isPending, wasThere);
  const standing = useRef<HTMLElement>(null);
  const top = useStickyTop(standing);
  if (!result.wasRead) return <Placeholder />;
  const { hasResult, isRead, verdict, entry, ignored } = result;
  const last = submissions.findLast(({ number, isLate }) => number !== null && !isLate);
  const times = !job.live && job.status !== "IN_PROGRESS" && <LastExecution job={job} last={last} />;
  // Of an older submission, nothing is said of the newest's error; nor beside a verdict, of a call that is made again.
  const isExplained = findCurrentError(job, logs) !== undefined && (result.isNewest || !hasResult);
  const progress = <JobProgress job={job} logs={logs} waiting={waiting} hasError={isExplained} />;
  const choice = <SubmissionChoice {...result.choice} />;
  return (
    <div className={cn(COLUMNS, isWide ? WIDE : HALVES)}>
      <section
        ref={standing}
        aria-label="Criteria and verdict"
        className="min-w-0 self-start lg:sticky"
        style={{ top }}
      >
        {ignored.length > 0 && (
          <p role="status" className="mb-3 rounded border border-resubmit bg-resubmit-tint p-2">
            {ignored.join(" ")}
          </p>
        )}
        {/* What it waits for, how far it is and what failed take turns in this room, so that nothing below moves. */}
        <div className={cn((job.live || !verdict) && "lg:min-h-40")}>
          {progress}
          {isExplained && <JobErrorPanel job={job} logs={logs} />}
          {!verdict && isRead && times}
        </div>
        {verdict && entry ? (
          <VerdictPanel
            key={entry.version}
            verdict={verdict}
            source={toSource(job, entry, isArchived)}
            isRejudged={entry.code === "rejudged"}
            compared={result.comparedVerdict}
            focused={result.focus?.id ?? null}
            onQuote={result.showQuote}
            aside={choice}
          >
            {result.isNewest && times}
          </VerdictPanel>
        ) : isRead ? (
          <>
            <div className="flex flex-wrap items-center justify-between gap-2 pb-1">
              <h3 className="pt-2 font-semibold">Acceptance criteria</h3>
              {choice}
            </div>
            <CriteriaList criteria={job.criteria ?? []} />
          </>
        ) : (
          <Reading what="the verdict" />
        )}
        {job.description && (
          <section aria-label="Description" className="mt-4 border-t pt-3">
            <h3 className="pb-1 font-semibold">Description</h3>
            <Description text={job.description} />
          </section>
        )}
      </section>
      <section aria-label="Result" className="min-w-0">
        <div className="flex min-h-8 flex-wrap items-center justify-between gap-2 pb-1">
          <h2 className="text-lg font-semibold">Result</h2>
          {hasResult && <WideButton isWide={isWide} onClick={onWide} />}
        </div>
        <Result job={job} result={result} isArchived={isArchived} />
      </section>
    </div>
  );
}

/** Where a result can be asked for; nowhere, if only the archive has it. */
const toSource = ({ id }: Job, { version }: JobLog, isArchived: boolean) =>
  isArchived ? undefined : { jobId: id, version };

/** Marks within a line, of which a text of one may have nothing else. */
const INLINE = /\*\*\S|__\S|`\S|\]\(/;

function Description({ text }: { text: string }) {
  const plain = <PlainText text={text} />;
  return isMarkdown(text) || INLINE.test(text) ? (
    <Suspense fallback={plain}>
      <MarkdownText text={text} />
    </Suspense>
  ) : (
    plain
  );
}

type ResultProps = { job: Job; result: ReturnType<typeof useShownSubmission>; isArchived: boolean };

/** The result of the submission that is shown, if it has one. */
function Result({ job, result, isArchived }: ResultProps) {
  const { shown, entry, problem } = result;
  if (!result.isRead) return <Reading what="the result" />;
  if (problem) return <ProblemState error={problem} />;
  if (!shown || !entry) return <p className="text-muted">There is no result{job.live ? " yet" : ""}.</p>;
  return (
    <ResultPreview
      key={shown.key}
      value={entry.result}
      source={toSource(job, entry, isArchived)}
      view={result.view}
      onView={result.onView}
      quotes={result.quotes}
      focus={result.focus}
      compared={result.comparedResult}
    />
  );
}

function WideButton({ isWide, onClick }: { isWide: boolean; onClick: () => void }) {
  const Icon = isWide ? Minimize2 : Maximize2;
  return (
    <Button size="small" className="max-lg:hidden" aria-pressed={isWide} title="Key: f" onClick={onClick}>
      <Icon aria-hidden size={14} /> Full width
    </Button>
  );
}

function Reading({ what }: { what: string }) {
  return (
    <Loading what={what}>
      <Skeleton className="h-40" />
    </Loading>
  );
}

function Placeholder() {
  return (
    <div className={cn(COLUMNS, HALVES)}>
      <Reading what="the verdict" />
      <Reading what="the result" />
    </div>
  );
}
