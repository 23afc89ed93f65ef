import { useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import { VerdictPanel } from "@/judging/VerdictPanel";
import { formatCount, formatDuration, formatMoney } from "@/lib/format";
import { ErrorState, Loading, Skeleton } from "@/ui/display/states";
import { useJudging } from "./trials";

type TrialVerdictProps = {
  /** The judgement that was asked for, if any was. */
  id: string | undefined;
  /** Whether something else stands in the form by now. */
  isOld: boolean;
  /** Shows a quotation in the result. */
  onQuote: (quote: string) => void;
};

const WAITS: Record<string, string> = { QUEUED: "It waits for a validator.", LEASED: "It is being judged." };

/** Verdict of a judgement without a job, or where it is meanwhile. */
export function TrialVerdict({ id, isOld, onQuote }: TrialVerdictProps) {
  const { data: judging, error } = useJudging(id);
  const [focused, focus] = useState<string | null>(null);
  const verdict = judging?.verdict;
  const showQuote = (name: string, quote: string) => {
    focus(name);
    onQuote(quote);
  };
  return (
    <section aria-label="Verdict" className="min-w-0 space-y-2">
      <h2 className="text-lg font-semibold">Verdict</h2>
      <ProblemState error={judging ? null : error} />
      {id === undefined && <p className="text-muted">Nothing was judged yet.</p>}
      {id !== undefined && !error && judging?.state !== "DONE" && (
        <Loading what="the verdict">
          <p className="pb-2 text-muted">{WAITS[judging?.state ?? "QUEUED"] ?? judging?.state}</p>
          <Skeleton className="h-40" />
        </Loading>
      )}
      {isOld && judging?.state === "DONE" && (
        <p className="text-resubmit">The form has changed since: this is the verdict on what it held before.</p>
      )}
      {judging?.state === "DONE" && judging.code && (
        <ErrorState title="There is no verdict" detail={judging.message ?? ""} code={judging.code} />
      )}
      {judging?.state === "DONE" && (
        <div role="status">
          {verdict && <VerdictPanel verdict={verdict} focused={focused} onQuote={showQuote} />}
          {!verdict?.stages?.length && (
            <p className="pt-2 text-xs text-muted">
              {formatMoney(judging.cost_usd ?? 0)}, {formatCount(judging.tokens ?? 0)} tokens
              {judging.duration_s != null && `, ${formatDuration(judging.duration_s * 1_000)}`}
            </p>
          )}
        </div>
      )}
    </section>
  );
}
