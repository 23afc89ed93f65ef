import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { JobLog } from "@/api/types";
import { entryQuery } from "@/jobs/model/logs";
import type { Submission } from "@/jobs/model/submissions";
import { nameQuote } from "@/judging/verdict";

/** State of the submission that is shown, with its verdict and result, and of the one that it is compared with. */
export function useShownSubmission(jobId: string, submissions: readonly Submission[], isPending: boolean) {
  const all = useMemo(() => listShown(submissions), [submissions]);
  const [chosen, choose] = useState<string | null>(null);
  const [against, compareWith] = useState<string | null>(null);
  const shown = all.find(({ key }) => key === chosen) ?? all.at(-1);
  const others = all.filter((each) => each !== shown && each.resultVersion !== null);
  const other = others.find(({ key }) => key === against) ?? others.at(-1);
  const hasResult = shown !== undefined && shown.resultVersion !== null;
  const { entry, problem } = useResultEntry(jobId, shown);
  const { entry: otherEntry } = useResultEntry(jobId, other);
  const isRead = hasResult ? entry !== undefined || problem !== null : !isPending;
  const [wasRead, setWasRead] = useState(false);
  if (isRead && !wasRead) setWasRead(true);
  const verdict = entry?.verdict ?? undefined;
  const otherVerdict = otherEntry?.verdict ?? undefined;
  const quotes = useMemo(
    () =>
      (verdict?.criteria ?? []).flatMap(({ text, evidence, evidence_spans: spans }) =>
        (evidence ?? []).map((quote, at) => ({
          id: nameQuote(text, at),
          criterion: text,
          text: quote,
          spans: spans?.[at] as [number, number][],
        })),
      ),
    [verdict],
  );
  return {
    choice: { all, shown, others, other, onChoose: choose, onCompare: compareWith },
    shown,
    hasResult,
    entry,
    problem,
    verdict,
    quotes,
    isNewest: shown === all.at(-1),
    isJudged: entry ? verdict !== undefined : shown?.reason != null,
    /** Whether it was read; and whether it, or one before it, ever was. */
    isRead,
    wasRead,
    comparedVerdict: other && otherVerdict && { name: other.name, verdict: otherVerdict },
    comparedResult: other && otherEntry && { name: other.name.toLowerCase(), value: otherEntry.result },
  };
}

/** List the submissions that can be shown: those with a result; and the newest, where it failed and is explained. */
function listShown(submissions: readonly Submission[]): Submission[] {
  const newest = submissions.findLast(({ number, isLate }) => number !== null && !isLate);
  return submissions.filter((each) => each.resultVersion !== null || (each === newest && each.outcome === "FAILED"));
}

/** Read the log entry that holds a submission's result; meanwhile, the last one of the same submission stays. */
function useResultEntry(jobId: string, submission?: Submission): { entry?: JobLog; problem: Error | null } {
  const version = submission?.resultVersion ?? null;
  const { data, error } = useQuery({
    ...entryQuery(jobId, version ?? 0),
    enabled: version !== null,
    placeholderData: (before) => (before?.execution_id === submission?.executionId ? before : undefined),
  });
  return { entry: version === null ? undefined : (data ?? undefined), problem: error };
}
