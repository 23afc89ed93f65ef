import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { AgentName } from "@/api/AgentName";
import { useAgentNames } from "@/api/agents";
import type { Job, JobLog, WaitReason } from "@/api/types";
import { waitingQuery } from "@/jobs/model/queries";
import { nameSubmission } from "@/jobs/model/submissions";
import { currentReasons, describeCause, findInk } from "@/jobs/model/waiting";
import { type Call, makeCalls, SPAN_WORDS, type Span, type SpanKind, sumSpans } from "@/jobs/model/waterfall";
import { useNow } from "@/lib/clock";
import { cn } from "@/lib/cn";
import { formatDuration, formatExactTime, formatNextPortion, formatPercent } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { toIntlZone, useZone } from "@/ui/display/time";
import { describePastWaits, PastWaits, PastWaitsLegend } from "./PastWaits";

const ROWS_SHOWN = 50;
const TICKS_DRAWN = 100;
/** Above every span, since what a focused one says stands over the rows below. */
const FOCUSED_LAYER = 10;

/** How spans look: what is done is thick, what is waited for thin, so that colour is not all that tells them apart. */
const LOOKS: Record<SpanKind, string> = {
  queue: "h-1.5 bg-pending",
  backoff: "h-1.5 bg-resubmit",
  judgeQueue: "h-1.5 bg-rejected",
  agent: "h-4 bg-running",
  judge: "h-4 bg-rejected",
};

type WaterfallProps = {
  job: Job;
  /** Entries from which the calls follow, oldest first. */
  logs: readonly JobLog[];
  /** Called with the version of the entry with which a span begins. */
  onOpen: (version: number) => void;
};

/** Where the time of a job went: a row for each submission and call of the agent. */
export function Waterfall({ job, logs, onOpen }: WaterfallProps) {
  const [limit, setLimit] = useState(ROWS_SHOWN);
  const { nameOf } = useAgentNames();
  const waiting = useQuery({ ...waitingQuery(job), enabled: job.live === true }).data;
  const now = useNow();
  const calls = makeCalls(logs).filter(({ spans }) => spans.length > 0);
  if (calls.length === 0) return <p className="text-muted">It has not been executed yet.</p>;
  const reason = currentReasons(job, waiting)[0];
  const shown = calls.slice(-limit);
  const spans = shown.flatMap((call) => call.spans);
  const begin = Math.min(...spans.map((span) => span.begin));
  const end = Math.max(...spans.map((span) => span.end ?? Math.max(now, span.begin)), begin + 1);
  const hidden = calls.length - shown.length;
  return (
    <div className="space-y-2">
      <Legend sums={sumSpans(calls, now)} />
      <PastWaitsLegend calls={calls} nameOf={nameOf} />
      {hidden > 0 && (
        <Button size="small" onClick={() => setLimit(limit + ROWS_SHOWN)}>
          Show {formatNextPortion(hidden, ROWS_SHOWN)} earlier
        </Button>
      )}
      <ol aria-label="Calls" className="divide-y border-y">
        {shown.map((call) => (
          <Row
            key={`${call.spans[0]?.version} ${call.number}`}
            call={call}
            place={(at) => `${((at - begin) / (end - begin)) * 100}%`}
            now={now}
            reason={reason && { ...reason, words: describeCause(reason, nameOf) }}
            nameOf={nameOf}
            onOpen={onOpen}
          />
        ))}
      </ol>
    </div>
  );
}

function Legend({ sums }: { sums: Partial<Record<SpanKind, number>> }) {
  const kinds = (Object.keys(SPAN_WORDS) as SpanKind[]).filter((kind) => (sums[kind] ?? 0) > 0);
  return (
    <ul aria-label="In all" className="flex min-h-6 flex-wrap items-center gap-x-4">
      {kinds.map((kind) => (
        <li key={kind} className="flex items-center gap-1.5">
          <span aria-hidden className={cn("w-4 rounded-sm", LOOKS[kind])} />
          {formatDuration(sums[kind] ?? 0)} {SPAN_WORDS[kind]}
        </li>
      ))}
    </ul>
  );
}

type RowProps = {
  call: Call;
  place: (at: number) => string;
  now: number;
  /** Why the job waits now, in words. */
  reason?: WaitReason & { words: string };
  nameOf: (id: string) => string;
  onOpen: (version: number) => void;
};

function Row({ call, place, now, reason, nameOf, onOpen }: RowProps) {
  const { submission, nth, number, agent, spans, ticks } = call;
  const begun = spans.filter((span) => span.begin <= now || span.end !== null);
  const took = begun.reduce((sum, { begin, end }) => sum + Math.max(0, (end ?? Math.max(now, begin)) - begin), 0);
  return (
    <li className="grid min-h-8 grid-cols-[1fr_4rem] items-center gap-x-3 py-1 sm:grid-cols-[13rem_1fr_4rem]">
      <span className="truncate max-sm:col-span-2">
        {nameSubmission(submission, nth)}, call {number}
        {agent && (
          <>
            {" · "}
            <AgentName id={agent} className="text-muted" />
          </>
        )}
      </span>
      <span className="relative h-6">
        {begun.map((span, index) => (
          <SpanBar
            key={`${span.kind} ${span.begin}`}
            span={span}
            layer={begun.length - index}
            left={place(span.begin)}
            width={`calc(${place(span.end ?? Math.max(now, span.begin))} - ${place(span.begin)})`}
            now={now}
            reason={span.end === null && span.kind !== "agent" ? reason : undefined}
            nameOf={nameOf}
            progress={span.kind === "agent" ? ticks : []}
            onOpen={onOpen}
          />
        ))}
        {ticks.slice(-TICKS_DRAWN).map(({ version, at }) => (
          <span
            key={version}
            aria-hidden
            className="pointer-events-none absolute inset-y-1 z-9 w-0.5 bg-surface"
            style={{ left: place(at) }}
          />
        ))}
      </span>
      <span className="text-right text-muted">{formatDuration(took)}</span>
    </li>
  );
}

type SpanBarProps = Pick<RowProps, "now" | "reason" | "nameOf" | "onOpen"> & {
  span: Span;
  /** Of one that is too short to be seen the least width lies above the span that follows. */
  layer: number;
  left: string;
  width: string;
  progress: Call["ticks"];
};

/**
 * Span as a button that leads to the entry with which it began. What it is and its exact times are its title, and stand
 * below it while it has the focus.
 */
function SpanBar({ span, layer, left, width, now, reason, nameOf, progress, onOpen }: SpanBarProps) {
  const [zone] = useZone();
  const [isFocused, setFocused] = useState(false);
  const exact = (at: number) => formatExactTime(at, toIntlZone(zone));
  const { kind, begin, end, version } = span;
  const newest = progress.at(-1);
  const title = [
    `${formatDuration(Math.max(0, (end ?? now) - begin))} ${SPAN_WORDS[kind]}`,
    `from ${exact(begin)} ${end === null ? "until now" : `to ${exact(end)}`}`,
    ...describePastWaits(span, nameOf),
    reason?.words,
    newest && `${formatPercent(newest.share)} reported at ${exact(newest.at)}`,
  ];
  const text = title.filter(Boolean).join("\n");
  return (
    <button
      type="button"
      title={text}
      aria-label={text.replaceAll("\n", ", ")}
      onClick={() => onOpen(version)}
      onFocus={() => setFocused(true)}
      onBlur={() => setFocused(false)}
      className="absolute inset-y-0 flex min-w-1 items-center"
      style={{ left, width, zIndex: isFocused ? FOCUSED_LAYER : layer }}
    >
      <span className={cn("w-full rounded-sm", LOOKS[kind], reason && findInk(reason.code))} />
      <PastWaits span={span} />
      {isFocused && (
        <span
          aria-hidden
          className={cn(
            "absolute top-full w-max max-w-72 rounded border bg-surface p-2 text-left text-xs whitespace-pre-line",
            Number.parseFloat(left) > 50 ? "right-0" : "left-0",
          )}
        >
          {text}
        </span>
      )}
    </button>
  );
}
