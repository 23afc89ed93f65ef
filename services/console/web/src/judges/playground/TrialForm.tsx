import { useQuery } from "@tanstack/react-query";
import { Gavel } from "lucide-react";
import { lazy, Suspense, useRef, useState } from "react";
import { useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import { CriteriaLint, replaceCriterion } from "@/judging/CriteriaLint";
import { PolicyChoice } from "@/judging/PolicyChoice";
import { useKeptState } from "@/lib/kept";
import { loadPart } from "@/lib/load-part";
import { Button } from "@/ui/controls/button";
import { Field, RadioGroup, TextArea } from "@/ui/controls/field";
import { TrialVerdict } from "./TrialVerdict";
import { lastJobsQuery, readResult, type Trial, useTry } from "./trials";

const OperationDialog = lazy(() => loadPart(() => import("@/jobs/list/bulk/OperationDialog")));

const FORMS = [
  ["text", "Text"],
  ["json", "JSON"],
] as const;

/** Form of what is judged, with the verdict beside it; and a way to see what its criteria would do to other results. */
export function TrialForm({ atFirst }: { atFirst: Trial }) {
  const [trial, setTrial] = useKeptState("trial", atFirst);
  const [tried, setTried] = useState<{ id: string; trial: Trial } | null>(null);
  const [isDrafting, draft] = useState(false);
  const result = useRef<HTMLDivElement>(null);
  const ask = useTry();
  const last = useQuery(lastJobsQuery);
  const change = (part: Partial<Trial>) => setTrial({ ...trial, ...part });
  const wrong = explainNoJson(trial);
  const refuse = useRefusal();
  const incomplete =
    trial.criteria.trim() === "" ? "It needs a criterion." : trial.result === "" ? "It needs a result." : wrong;
  const reason = refuse("create_judgings") ?? incomplete;
  const judge = () =>
    ask.mutate(trial, {
      onSuccess: ({ id }) => setTried({ id, trial }),
    });
  /** Select a quotation where it stands in the result that was typed. */
  const showQuote = (quote: string) => {
    const field = result.current?.querySelector("textarea");
    const at = field?.value.indexOf(quote) ?? -1;
    if (!field || at < 0) return;
    field.focus();
    field.setSelectionRange(at, at + quote.length);
  };
  return (
    <div className="grid gap-6 lg:grid-cols-2">
      <form
        aria-label="What is judged"
        className="min-w-0 space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (reason === null && !ask.isPending) judge();
        }}
      >
        <div ref={result}>
          <Field label="Result" error={trial.result === "" ? undefined : (wrong ?? undefined)}>
            {(control) => (
              <TextArea
                {...control}
                rows={10}
                dir="auto"
                className="font-mono text-xs"
                value={trial.result}
                onChange={(event) => change({ result: event.target.value })}
              />
            )}
          </Field>
        </div>
        <RadioGroup label="The result is" choices={FORMS} value={trial.form} onChange={(form) => change({ form })} />
        <Field label="Criteria" hint="One per line. Before one: optional:, never: or check:">
          {(control) => (
            <TextArea
              {...control}
              rows={6}
              dir="auto"
              value={trial.criteria}
              onChange={(event) => change({ criteria: event.target.value })}
            />
          )}
        </Field>
        <CriteriaLint
          text={trial.criteria}
          onReplace={(place, by) => change({ criteria: replaceCriterion(trial.criteria, place, by) })}
        />
        <PolicyChoice value={trial.judge} onChange={(chosen) => change({ judge: chosen })} />
        <ProblemState error={ask.error ?? last.error} />
        <div className="flex flex-wrap gap-2">
          <Button
            type="submit"
            kind="primary"
            reason={ask.isPending ? "It is being asked for." : reason}
            aria-busy={ask.isPending}
          >
            <Gavel aria-hidden size={14} /> Judge it
          </Button>
          <Button
            unavailable={last.isFetching}
            reason={refuse("create_operation") ?? (trial.criteria.trim() === "" ? "It needs a criterion." : null)}
            onClick={() => void last.refetch().then(({ isSuccess }) => draft(isSuccess))}
          >
            Over the last 20 results…
          </Button>
        </div>
      </form>
      <TrialVerdict id={tried?.id} isOld={tried !== null && tried.trial !== trial} onQuote={showQuote} />
      <Suspense>
        {isDrafting && last.data && (
          <OperationDialog
            kind="rejudge"
            search={{}}
            selected={last.data}
            among="The newest results that have a verdict"
            initial={{ shadow: true, criteria: trial.criteria, ...(trial.judge && { judge: trial.judge }) }}
            onClose={() => draft(false)}
          />
        )}
      </Suspense>
    </div>
  );
}

/** Explain why a result that is said to be JSON is none; null where it is. */
function explainNoJson(trial: Trial): string | null {
  try {
    readResult(trial);
    return null;
  } catch (error) {
    return `It is not JSON: ${error instanceof Error ? error.message : error}`;
  }
}
