import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { TriangleAlert } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import { toApiError } from "@/api/problem";
import type { CriterionWarning } from "@/api/types";
import { Button } from "@/ui/controls/button";

const PAUSE_MS = 400;

type CriteriaLintProps = {
  /** Criteria in their text form, one a line. */
  text: string;
  /** Puts a line or more in the place of a criterion, counted without empty lines. */
  onReplace: (place: number, by: string) => void;
};

/**
 * What might be meant otherwise in criteria, a line each, asked for after a pause in typing; and what to write instead.
 * It has its height as soon as there is a criterion, and scrolls by itself: what is found moves nothing around it.
 */
export function CriteriaLint({ text, onReplace }: CriteriaLintProps) {
  const asked = useLater(text);
  const isEmpty = asked.trim() === "";
  const lint = useQuery({
    queryKey: ["criteria-lint", asked],
    enabled: !isEmpty,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => api.post("/api/criteria/lint", { body: { acceptance_criteria: asked }, signal }),
  });
  // What stands there is no longer what was looked at: a rewrite would go to another line.
  const isBehind = asked !== text || lint.isPlaceholderData;
  if (text.trim() === "" && isEmpty) return null;
  const problem = lint.error && !isEmpty ? toApiError(lint.error) : null;
  const warnings = isEmpty || problem ? [] : (lint.data?.warnings ?? []);
  const notes = isEmpty || problem ? [] : (lint.data?.notes ?? []);
  const isClear = lint.data !== undefined && !problem && warnings.length === 0;
  return (
    <div tabIndex={0} className="h-16 overflow-auto text-xs max-sm:h-24">
      <div role="status" className="space-y-1">
        {isClear && <p className="text-muted">Nothing to remark.</p>}
        {problem && (
          <p className="text-failed wrap-anywhere">
            {problem.fields.map(({ message }) => message).join("; ") || problem.detail}
          </p>
        )}
        {warnings.map((warning, at) => (
          <Warning
            // biome-ignore lint/suspicious/noArrayIndexKey: warnings may be alike, and come and go together
            key={at}
            {...warning}
            onApply={isBehind ? null : (line) => onReplace(warning.criterion, line)}
          />
        ))}
        {notes.map(({ criterion, message }) => (
          <p key={criterion} className="text-muted wrap-anywhere">
            <bdi>{message}</bdi>
          </p>
        ))}
      </div>
    </div>
  );
}

type WarningProps = CriterionWarning & { onApply: ((suggestion: string) => void) | null };

function Warning({ code, message, suggestion, onApply }: WarningProps) {
  return (
    <div className="flex flex-wrap items-start gap-x-2 gap-y-1">
      <TriangleAlert aria-hidden size={14} className="mt-0.5 shrink-0 text-resubmit" />
      <p className="min-w-0 grow basis-60 wrap-anywhere">
        <bdi>{message}</bdi> <code className="font-mono text-muted">{code}</code>
        {suggestion && (
          <span className="block font-mono whitespace-pre-wrap">
            <bdi>{suggestion}</bdi>
          </span>
        )}
      </p>
      {suggestion && (
        <Button size="small" unavailable={!onApply} onClick={() => onApply?.(suggestion)}>
          Use it
        </Button>
      )}
    </div>
  );
}

/** Replace a criterion, counted without empty lines, by one line or more. */
export function replaceCriterion(text: string, place: number, by: string): string {
  const lines = text.split("\n");
  const filled = lines.flatMap((line, at) => (line.trim() === "" ? [] : [at]));
  const at = filled[place];
  return at === undefined ? text : lines.with(at, by).join("\n");
}

/** Return a text as it was when it last had not changed for a while. */
function useLater(text: string): string {
  const [later, setLater] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setLater(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return later;
}
