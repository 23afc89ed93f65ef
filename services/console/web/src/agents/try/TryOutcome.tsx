import { CircleCheck, CircleSlash, type LucideIcon, OctagonAlert } from "lucide-react";
import { useEffect, useRef } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { AgentCheck, AgentTry } from "@/api/types";
import { stringifyJson } from "@/lib/exact-json";
import { formatCount, formatDuration, formatMoney } from "@/lib/format";
import { EmptyState, ErrorState, Loading, Skeleton } from "@/ui/display/states";
import { announce } from "@/ui/feedback/announcer";
import { BodyText, Exchanges } from "./Exchanges";
import { isDone, useAgentTry } from "./tries";

const WAITS: Record<string, string> = {
  QUEUED: "It waits for an executor that calls its protocol.",
  LEASED: "An executor calls the agent.",
};

/** What came of a try, or where it is meanwhile: the result or the error, the checks, each request and its answer. */
export function TryOutcome({ agentId, id }: { agentId: string; id?: string }) {
  const { data: made, error } = useAgentTry(agentId, id);
  const place = useRef<HTMLElement>(null);
  const hasEnded = made !== undefined && isDone(made);
  useEffect(() => {
    if (id !== undefined) place.current?.scrollIntoView?.({ block: "nearest" }); // on a phone it is below the form
  }, [id]);
  useEffect(() => {
    if (hasEnded) announce("The try has ended");
  }, [hasEnded]);
  return (
    <section ref={place} aria-label="What came of it" className="min-w-0 space-y-4">
      <ProblemState error={made ? null : error} />
      {id === undefined && <EmptyState title="Nothing was tried yet" />}
      {id !== undefined && (made || !error) && !hasEnded && (
        <Loading what="what comes of it">
          <p className="pb-2 text-muted">{WAITS[made?.state ?? "QUEUED"] ?? made?.state}</p>
          <Skeleton className="h-40" />
        </Loading>
      )}
      {hasEnded && (
        <>
          <Outcome made={made} />
          {made.checks.length > 0 && <Checks checks={made.checks} />}
          <Exchanges exchanges={made.exchanges} leftOut={made.exchanges_left_out} />
        </>
      )}
    </section>
  );
}

function Outcome({ made }: { made: AgentTry }) {
  const { code, message, advice, result, cost_usd, tokens, duration_s } = made;
  return (
    <div className="space-y-2">
      {code ? (
        <ErrorState title={advice ?? "It gave no result"} detail={message ?? ""} code={code} />
      ) : (
        <>
          <h2 className="text-lg font-semibold">Result</h2>
          <BodyText label="Result" text={typeof result === "string" ? result : stringifyJson(result ?? null, 2)} />
        </>
      )}
      <p className="text-xs text-muted">
        {formatMoney(cost_usd)}, {formatCount(tokens)} tokens
        {duration_s != null && `, ${formatDuration(duration_s * 1_000)}`}
      </p>
    </div>
  );
}

/** How each outcome of a check looks: icon, word and colour together. */
const OUTCOMES: Record<string, { word: string; icon: LucideIcon; ink: string }> = {
  passed: { word: "Passed", icon: CircleCheck, ink: "text-completed" },
  failed: { word: "Failed", icon: OctagonAlert, ink: "text-failed" },
  not_applicable: { word: "Does not apply", icon: CircleSlash, ink: "text-muted" },
};

const CHECKS: Record<string, string> = {
  same_key: "The same key twice is one piece of work",
  progress: "It reports progress",
  cancel: "It stops when it is asked to",
  error: "It says why it failed",
  deadline: "It answers in time",
  size: "It keeps to the size of a result",
  signature: "It refuses calls that are not signed",
};

function Checks({ checks }: { checks: readonly AgentCheck[] }) {
  return (
    <section aria-label="Checks" className="space-y-2">
      <h2 className="text-lg font-semibold">How it keeps to its protocol</h2>
      <ul className="divide-y border-y">
        {checks.map(({ check, outcome, message, advice, exchanges }) => {
          const look = OUTCOMES[outcome] ?? { word: outcome, icon: CircleSlash, ink: "text-muted" };
          return (
            <li key={check} className="space-y-1 py-2">
              <p className="flex flex-wrap items-center gap-x-2 font-medium">
                <look.icon aria-hidden size={14} className={`shrink-0 ${look.ink}`} />
                {CHECKS[check] ?? check} <span className={look.ink}>{look.word}</span>
              </p>
              <p className="text-muted wrap-anywhere">
                <bdi>{message}</bdi>
              </p>
              {advice && outcome === "failed" && <p className="wrap-anywhere">{advice}</p>}
              {exchanges.length > 0 && (
                <p className="text-xs text-muted">
                  Shown by {exchanges.length === 1 ? "request" : "requests"}{" "}
                  {exchanges.map((place) => formatCount(place + 1)).join(", ")}
                </p>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
