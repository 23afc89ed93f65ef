import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { Job, JobLog } from "@/api/types";
import { entryQuery } from "@/jobs/model/logs";
import { nameSubmissions, type Submission } from "@/jobs/model/submissions";
import type { Focus } from "@/results/model/evidence";
import { ResultPreview } from "@/results/ResultPreview";
import { Select } from "@/ui/controls/field";
import { Loading, Skeleton } from "@/ui/display/states";
import { CriteriaList } from "./CriteriaList";
import { readResult, readVerdict } from "./log-response";
import { VerdictPanel } from "./VerdictPanel";

type ResultSectionProps = { job: Job; submissions: readonly Submission[]; isPending: boolean };

/** Verdict and result of a submission, and how they differ from another's. */
export function ResultSection({ job, submissions, isPending }: ResultSectionProps) {
  const all = useMemo(
    () => nameSubmissions(submissions).filter(({ submission }) => submission.resultVersion !== null),
    [submissions],
  );
  const [chosen, choose] = useState<string | null>(null);
  const [against, setAgainst] = useState<string | null>(null);
  const [focus, setFocus] = useState<Focus | null>(null);
  /** Show the first place of a quote in the result; called again, the next. */
  const showEvidence = (id: string) => setFocus({ id, turn: focus?.id === id ? focus.turn + 1 : 0 });
  const shown = all.find(({ submission }) => submission.key === chosen) ?? all.at(-1);
  const others = all.filter((each) => each !== shown);
  const other = others.find(({ submission }) => submission.key === against) ?? others.at(-1);
  const { entry, error } = useResultEntry(job.id, shown?.submission);
  const { entry: otherEntry } = useResultEntry(job.id, other?.submission);
  const isRead = shown ? entry !== undefined || error !== null : !isPending;
  const verdict = entry && readVerdict(entry);
  const isJudged = entry ? verdict !== undefined : shown?.submission.reason != null;
  const otherVerdict = otherEntry && readVerdict(otherEntry);
  const quotes = useMemo(
    () =>
      (verdict?.criteria ?? []).flatMap(({ text, evidence, evidence_spans: spans }) =>
        evidence ? [{ id: text, text: evidence, spans }] : [],
      ),
    [verdict],
  );
  const compared = other && otherEntry && { name: other.name.toLowerCase(), value: readResult(otherEntry) };
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <section aria-label="Criteria and verdict" className="min-w-0">
        <div className="flex min-h-10 flex-wrap items-center justify-between gap-2 pb-2">
          <h2 className="text-lg font-semibold">{isJudged ? "Verdict" : "Acceptance criteria"}</h2>
          {all.length > 1 && shown && (
            <div className="flex items-center gap-2">
              <SubmissionSelect label="Submission" value={shown.submission.key} options={all} onChange={choose} />
              <span className="text-muted">against</span>
              <SubmissionSelect
                label="Compared with"
                value={other?.submission.key}
                options={others}
                onChange={setAgainst}
              />
            </div>
          )}
        </div>
        {verdict ? (
          <VerdictPanel
            verdict={verdict}
            compared={other && otherVerdict && { name: other.name, verdict: otherVerdict }}
            focused={focus?.id ?? null}
            onQuote={showEvidence}
          />
        ) : isRead ? (
          <CriteriaList criteria={job.criteria} />
        ) : (
          <Loading what="the verdict">
            <Skeleton className="h-40" />
          </Loading>
        )}
      </section>
      <section aria-label="Result" className="min-w-0">
        <h2 className="flex min-h-10 items-center pb-2 text-lg font-semibold">Result</h2>
        {!shown && !isPending && <p className="text-muted">There is no result.</p>}
        {shown && entry && (
          <ResultPreview
            key={shown.submission.key}
            value={readResult(entry)}
            source={{ jobId: job.id, version: entry.version }}
            quotes={quotes}
            focus={focus}
            compared={compared}
          />
        )}
        {error && <ProblemState error={error} />}
        {!isRead && (
          <Loading what="the result">
            <Skeleton className="h-40" />
          </Loading>
        )}
      </section>
    </div>
  );
}

/** Read the log entry that holds a submission's result; meanwhile, the last one of the same submission stays. */
function useResultEntry(jobId: string, submission: Submission | undefined): { entry?: JobLog; error: Error | null } {
  const { data, error } = useQuery({
    ...entryQuery(jobId, submission?.resultVersion ?? 0),
    enabled: submission !== undefined,
    placeholderData: (before) => (before?.execution_id === submission?.executionId ? before : undefined),
  });
  return { entry: data ?? undefined, error };
}

type SubmissionSelectProps = {
  label: string;
  value: string | undefined;
  options: readonly { submission: Submission; name: string }[];
  onChange: (key: string) => void;
};

function SubmissionSelect({ label, value, options, onChange }: SubmissionSelectProps) {
  return (
    <Select aria-label={label} className="w-auto" value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(({ submission, name }) => (
        <option key={submission.key} value={submission.key}>
          {name}
        </option>
      ))}
    </Select>
  );
}
