import { Maximize2, Minimize2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { Job } from "@/api/types";
import type { Submission } from "@/jobs/model/submissions";
import { CriteriaList } from "@/judging/CriteriaList";
import { VerdictPanel } from "@/judging/VerdictPanel";
import { cn } from "@/lib/cn";
import type { Focus } from "@/results/model/evidence";
import { ResultPreview } from "@/results/ResultPreview";
import { Button } from "@/ui/controls/button";
import { Select } from "@/ui/controls/field";
import { Loading, Skeleton } from "@/ui/display/states";
import { useShownSubmission } from "./use-shown-submission";

type ResultSectionProps = {
  job: Job;
  submissions: readonly Submission[];
  isPending: boolean;
  /** Why the job does not go on; null when it does. */
  error: ReactNode;
  /** Whether the result has the width of the window, with the verdict beside it. */
  isWide: boolean;
  onWide: () => void;
};

// Both columns have their height from the first, and scroll by themselves: what arrives moves nothing around them.
const COLUMNS = "grid gap-6 max-lg:*:min-h-40";
const HALVES = "lg:h-[60dvh] lg:min-h-80 lg:grid-cols-2";
const WIDE = "lg:h-[calc(100dvh-11rem)] lg:grid-cols-[minmax(18rem,1fr)_3fr]";
const COLUMN = "flex min-h-0 min-w-0 flex-col";
const HEAD = "flex min-h-10 shrink-0 flex-wrap items-center justify-between gap-2 pb-2";

/** Verdict and result of a submission, and how they differ from another's. */
export function ResultSection({ job, submissions, isPending, error, isWide, onWide }: ResultSectionProps) {
  const result = useShownSubmission(job.id, submissions, isPending);
  const [focus, setFocus] = useState<Focus | null>(null);
  /** Show the first place of a quote in the result; called again, the next. */
  const showEvidence = (id: string) => setFocus({ id, turn: focus?.id === id ? focus.turn + 1 : 0 });
  if (!result.wasRead) return <Placeholder />;
  const { hasResult, isRead, verdict, entry } = result;
  // Beside a result, only what ended with it: the error of a call that is made again would push the verdict down.
  const isExplained =
    hasResult && result.isNewest && (verdict ? !job.live && job.status !== "IN_PROGRESS" : job.status === "FAILED");
  return (
    <div className={cn(COLUMNS, isWide ? WIDE : HALVES)}>
      <section aria-label="Criteria and verdict" className={COLUMN}>
        <div className={HEAD}>
          <h2 className="text-lg font-semibold">{result.isJudged ? "Verdict" : "Acceptance criteria"}</h2>
          <SubmissionChoice {...result.choice} />
        </div>
        <div tabIndex={0} className="min-h-0 -outline-offset-2 lg:grow lg:overflow-auto">
          {isExplained && error}
          {verdict && entry ? (
            <VerdictPanel
              verdict={verdict}
              source={{ jobId: job.id, version: entry.version }}
              isRejudged={entry.code === "rejudged"}
              compared={result.comparedVerdict}
              focused={focus?.id ?? null}
              onQuote={showEvidence}
            />
          ) : isRead ? (
            <CriteriaList criteria={job.criteria ?? []} />
          ) : (
            <Waiting what="the verdict" />
          )}
        </div>
      </section>
      <section aria-label="Result" className={COLUMN}>
        <div className={HEAD}>
          <h2 className="text-lg font-semibold">Result</h2>
          {hasResult && <WideButton isWide={isWide} onClick={onWide} />}
        </div>
        <Result job={job} result={result} focus={focus} error={error} />
      </section>
    </div>
  );
}

type ResultProps = Pick<ResultSectionProps, "job" | "error"> & {
  result: ReturnType<typeof useShownSubmission>;
  focus: Focus | null;
};

/** The result or, where there is none, why. */
function Result({ job, result, focus, error }: ResultProps) {
  const { shown, entry, problem } = result;
  if (!result.isRead) return <Waiting what="the result" />;
  if (problem) return <ProblemState error={problem} />;
  if (!shown || !entry) return error || <p className="text-muted">There is no result.</p>;
  return (
    <ResultPreview
      key={shown.key}
      value={entry.result}
      source={{ jobId: job.id, version: entry.version }}
      quotes={result.quotes}
      focus={focus}
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

function Waiting({ what }: { what: string }) {
  return (
    <Loading what={what}>
      <Skeleton className="h-40" />
    </Loading>
  );
}

function Placeholder() {
  return (
    <div className={cn(COLUMNS, HALVES)}>
      <Waiting what="the verdict" />
      <Waiting what="the result" />
    </div>
  );
}

type SubmissionChoiceProps = {
  all: readonly Submission[];
  shown: Submission | undefined;
  /** Those with which it can be compared, and the one with which it is. */
  others: readonly Submission[];
  other: Submission | undefined;
  onChoose: (key: string) => void;
  onCompare: (key: string) => void;
};

/** Choice of the submission that is shown, and of the one that it is compared with, where there are two. */
function SubmissionChoice({ all, shown, others, other, onChoose, onCompare }: SubmissionChoiceProps) {
  if (!shown || all.length < 2) return null;
  return (
    <div className="flex flex-wrap items-center gap-2">
      <SubmissionSelect label="Submission" value={shown.key} options={all} onChange={onChoose} />
      {other && (
        <>
          <span className="text-muted">against</span>
          <SubmissionSelect label="Compared with" value={other.key} options={others} onChange={onCompare} />
        </>
      )}
    </div>
  );
}

type SubmissionSelectProps = {
  label: string;
  value: string;
  options: readonly Submission[];
  onChange: (key: string) => void;
};

function SubmissionSelect({ label, value, options, onChange }: SubmissionSelectProps) {
  return (
    <Select aria-label={label} className="w-auto" value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(({ key, name }) => (
        <option key={key} value={key}>
          {name}
        </option>
      ))}
    </Select>
  );
}
