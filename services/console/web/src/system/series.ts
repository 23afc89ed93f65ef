import { CircleCheck, CircleSlash, OctagonAlert, RotateCcw, ThumbsDown } from "lucide-react";
import type { ComponentProps } from "react";
import type { OverviewCounts, OverviewPoint } from "@/api/types";
import { formatCount, formatDuration, formatMoney, formatPercent } from "@/lib/format";
import type { Series, TimeChart } from "@/ui/display/TimeChart";
import type { Range } from "./queries";

/** Chart: its series with the value of each at a point. */
type ChartLook = Omit<ComponentProps<typeof TimeChart>, "times" | "series"> & {
  series: (Omit<Series, "values"> & { of: (point: OverviewPoint) => number | null })[];
};

const readCount = (key: Exclude<keyof OverviewCounts, "cost_usd">) => (point: OverviewPoint) => point[key] ?? null;

/** Share of judged results that were accepted; null when none was judged. */
export function acceptanceRate({ completed, rejected, resubmission_required: again }: OverviewCounts): number | null {
  const judged = completed + rejected + again;
  return judged === 0 ? null : completed / judged;
}

const formatSeconds = (value: number) => formatDuration(value * 1_000);

function percentiles(of: "wait" | "agent" | "judge" | "duration"): ChartLook["series"] {
  return [
    { key: "p50", word: "Median (p50)", ink: "var(--running-ink)", of: (point) => point[of]?.p50 ?? null },
    {
      key: "p95",
      word: "95th percentile (p95)",
      ink: "var(--resubmit-ink)",
      dashes: "6 3",
      of: (point) => point[of]?.p95 ?? null,
    },
    {
      key: "p99",
      word: "99th percentile (p99)",
      ink: "var(--rejected-ink)",
      dashes: "2 3",
      of: (point) => point[of]?.p99 ?? null,
    },
  ];
}

export const CHARTS: readonly ChartLook[] = [
  {
    title: "Throughput",
    hint: "Jobs that ended, by outcome.",
    kind: "bar",
    format: formatCount,
    isWhole: true,
    series: [
      {
        key: "completed",
        word: "Completed",
        icon: CircleCheck,
        ink: "var(--completed-ink)",
        of: readCount("completed"),
      },
      {
        key: "again",
        word: "Resubmission required",
        icon: RotateCcw,
        ink: "var(--resubmit-ink)",
        of: readCount("resubmission_required"),
      },
      { key: "rejected", word: "Rejected", icon: ThumbsDown, ink: "var(--rejected-ink)", of: readCount("rejected") },
      { key: "failed", word: "Failed", icon: OctagonAlert, ink: "var(--failed-ink)", of: readCount("failed") },
      { key: "cancelled", word: "Cancelled", icon: CircleSlash, ink: "var(--pending-ink)", of: readCount("cancelled") },
    ],
  },
  {
    title: "Acceptance rate",
    hint: "Of the results that were judged, those that met their criteria.",
    kind: "line",
    format: formatPercent,
    max: 1,
    series: [{ key: "accepted", word: "Accepted", ink: "var(--completed-ink)", of: acceptanceRate }],
  },
  {
    title: "Queue depth",
    hint: "The most at once that waited for an agent, were with one, or were being judged.",
    kind: "line",
    format: formatCount,
    isWhole: true,
    series: [
      { key: "queued", word: "Queued", ink: "var(--resubmit-ink)", of: readCount("queued_max") },
      { key: "running", word: "Running", ink: "var(--running-ink)", dashes: "6 3", of: readCount("running_max") },
      { key: "judging", word: "Being judged", ink: "var(--rejected-ink)", dashes: "2 3", of: readCount("judging_max") },
    ],
  },
  {
    title: "Wait",
    hint: "From being asked for to the agent's start.",
    kind: "line",
    format: formatSeconds,
    series: percentiles("wait"),
  },
  {
    title: "Agent",
    hint: "A call of an agent, from its start to the answer.",
    kind: "line",
    format: formatSeconds,
    series: percentiles("agent"),
  },
  {
    title: "Judge",
    hint: "A judging, from its start to the verdict.",
    kind: "line",
    format: formatSeconds,
    series: percentiles("judge"),
  },
  {
    title: "Duration",
    hint: "From being asked for to the end: all waits, calls and judgings.",
    kind: "line",
    format: formatSeconds,
    series: percentiles("duration"),
  },
  {
    title: "Cost",
    hint: "Of agents and judges, as far as they reported it.",
    kind: "bar",
    format: formatMoney,
    tick: (value) => `$${Number(value.toPrecision(2))}`, // so that steps below a cent differ
    series: [{ key: "cost", word: "Cost", ink: "var(--accent)", of: (point) => Number(point.cost_usd) }],
  },
  {
    title: "Created",
    hint: "Jobs that were asked for.",
    kind: "bar",
    format: formatCount,
    isWhole: true,
    series: [{ key: "created", word: "Created", ink: "var(--assigned-ink)", of: readCount("created") }],
  },
];

/** Return the points from the first on at which a chart has something to show: an empty week would press the rest together. */
export function fromFirstData(points: readonly OverviewPoint[]): readonly OverviewPoint[] {
  const first = points.findIndex((point) => CHARTS.some(({ series }) => series.some(({ of }) => of(point))));
  return first < 0 ? [] : points.slice(first);
}

/** Format the time below a point; with the day when the range has several. */
export function formatPointTime(at: string, range: Range, zone?: string): string {
  const day = range === "7d" || range === "24h";
  return new Intl.DateTimeFormat("en-GB", {
    ...(day && { weekday: "short" }),
    hour: "2-digit",
    minute: "2-digit",
    timeZone: zone,
  }).format(Date.parse(at));
}
