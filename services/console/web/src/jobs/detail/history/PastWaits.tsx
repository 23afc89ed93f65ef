import { describeCause, findInk } from "@/jobs/model/waiting";
import { type Call, type Span, sumWaits } from "@/jobs/model/waterfall";
import { cn } from "@/lib/cn";
import { formatDuration } from "@/lib/format";

type NameOf = (id: string) => string;

/** Describe what was waited for in a span: "2.0 s: limit tenant:press is reached". */
export const describePastWaits = ({ waits = [] }: Span, nameOf: NameOf) =>
  waits.map((wait) => {
    const took = Date.parse(wait.until) - Date.parse(wait.since);
    return `${formatDuration(took)}: ${describeCause(wait, nameOf)}`;
  });

/** What was waited for within the bar of a span, each part in the look of its reason. */
export function PastWaits({ span: { begin, end, waits = [] } }: { span: Span }) {
  const length = Math.max(1, (end ?? begin) - begin);
  const place = (at: number) => Math.min(1, Math.max(0, (at - begin) / length)) * 100;
  return waits.map(({ code, name, since, until }) => {
    const [from, to] = [place(Date.parse(since)), place(Date.parse(until))];
    return (
      <span
        key={`${code} ${name} ${since}`}
        aria-hidden
        className={cn("absolute h-1.5 rounded-sm", findInk(code))}
        style={{ left: `${from}%`, width: `${to - from}%` }}
      />
    );
  });
}

/** For how long it waited in the queue for each thing, in all calls. */
export function PastWaitsLegend({ calls, nameOf }: { calls: readonly Call[]; nameOf: NameOf }) {
  const sums = sumWaits(calls);
  if (sums.length === 0) return null;
  return (
    <ul aria-label="In the queue" className="flex flex-wrap items-center gap-x-4">
      {sums.map(({ wait, took }) => (
        <li key={`${wait.code} ${wait.name}`} className="flex items-center gap-1.5">
          <span aria-hidden className={cn("h-1.5 w-4 rounded-sm", findInk(wait.code))} />
          {formatDuration(took)} {describeCause(wait, nameOf)}
        </li>
      ))}
    </ul>
  );
}
