import type { LucideIcon } from "lucide-react";
import { type PointerEvent, useRef, useState } from "react";
import { useWidth } from "@/lib/use-width";
import { ChartLegend, ChartTable } from "./chart-parts";

/** Line of a chart, or part of its bars: its values at each time, null where there is none. */
export type Series = {
  key: string;
  word: string;
  icon?: LucideIcon;
  /** Colour, as a token of the style. */
  ink: string;
  dashes?: string;
  values: readonly (number | null)[];
};

type TimeChartProps = {
  title: string;
  hint: string;
  kind: "bar" | "line";
  /** Times of the values, as they are shown. */
  times: readonly string[];
  series: readonly Series[];
  format: (value: number) => string;
  /** Format of the axis, when it differs. */
  tick?: (value: number) => string;
  /** Whether values are whole numbers, and so the steps of the axis. */
  isWhole?: boolean;
  /** Upper end of the axis, when it does not follow from the values. */
  max?: number;
};

const HEIGHT_PX = 180;
const [TOP, RIGHT, BOTTOM, LEFT] = [8, 8, 22, 60];
const BAR_MAX_PX = 24;
const STEPS = 4;
const CHARACTER_PX = 7;
const LABEL_GAP_PX = 24;
const BASE_PX = HEIGHT_PX - BOTTOM;

/** Chart of values over time as SVG, in the colours of the theme; the same as a table for screen readers. */
export function TimeChart({ title, hint, times, series, format, ...look }: TimeChartProps) {
  return (
    <figure className="min-w-0 rounded border p-3 lg:last:odd:col-span-2">
      <figcaption>
        <h2 className="font-semibold">{title}</h2>
        <p className="text-xs text-muted">{hint}</p>
      </figcaption>
      <ChartLegend series={series} />
      {series.some(({ values }) => values.some((value) => hasSomething(value, look.kind))) ? (
        <Drawing times={times} series={series} format={format} {...look} />
      ) : (
        <p className="grid place-items-center text-muted" style={{ height: HEIGHT_PX }}>
          Nothing in this range.
        </p>
      )}
      <ChartTable title={title} times={times} series={series} format={format} />
    </figure>
  );
}

/** Whether a value shows; a bar of nothing does not. */
const hasSomething = (value: number | null, kind: TimeChartProps["kind"]) =>
  kind === "bar" ? Boolean(value) : value != null;

/** Heights at which the axis has a line: a few round numbers from 0 to what is at least the largest value. */
export function findTicks(largest: number, isWhole = false): number[] {
  const top = largest > 0 ? largest : 1;
  const rough = top / STEPS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const round = [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? rough;
  const step = isWhole ? Math.max(1, Math.round(round)) : round;
  return Array.from({ length: Math.ceil(top / step - 1e-9) + 1 }, (_, number) => number * step);
}

function Drawing({ kind, times, series, format, tick = format, isWhole, max }: Omit<TimeChartProps, "title" | "hint">) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, point] = useState<number | null>(null);
  const heights = times.map((_, index) => {
    const values = series.map(({ values }) => values[index] ?? 0);
    return kind === "bar" ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
  });
  const ticks = findTicks(max ?? Math.max(0, ...heights), isWhole);
  const band = Math.max(1, width - LEFT - RIGHT) / times.length;
  const x = (index: number) => LEFT + band * (index + 0.5);
  const y = (value: number) => BASE_PX - (value / (ticks.at(-1) || 1)) * (BASE_PX - TOP);
  const every = Math.ceil((CHARACTER_PX * Math.max(...times.map((time) => time.length)) + LABEL_GAP_PX) / band);
  const pointAt = ({ clientX }: PointerEvent) => {
    const index = Math.floor((clientX - (box.current?.getBoundingClientRect().left ?? 0) - LEFT) / band);
    point(index >= 0 && index < times.length ? index : null);
  };
  return (
    <div
      ref={box}
      aria-hidden
      className="relative"
      style={{ height: HEIGHT_PX }}
      onPointerMove={pointAt}
      onPointerLeave={() => point(null)}
    >
      <svg aria-hidden width={width} height={HEIGHT_PX} className="max-w-full text-xs">
        {at !== null && <rect x={LEFT + band * at} y={TOP} width={band} height={BASE_PX - TOP} fill="var(--sunken)" />}
        {ticks.map((value) => (
          <g key={value}>
            <line x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} stroke="var(--hairline)" />
            <text x={LEFT - 8} y={y(value)} dy="0.35em" textAnchor="end" fill="var(--muted)">
              {tick(value)}
            </text>
          </g>
        ))}
        {times.map(
          (time, index) =>
            index % every === 0 &&
            x(index) + (time.length * CHARACTER_PX) / 2 <= width && (
              <text key={time + String(index)} x={x(index)} y={HEIGHT_PX - 4} textAnchor="middle" fill="var(--muted)">
                {time}
              </text>
            ),
        )}
        {kind === "bar" ? (
          <Bars series={series} count={times.length} band={band} x={x} y={y} />
        ) : (
          series.map((each) => <Line key={each.key} series={each} x={x} y={y} />)
        )}
      </svg>
      {at !== null && (
        <dl
          className="pointer-events-none absolute top-2 z-10 rounded border border-control bg-surface px-2 py-1 text-xs whitespace-nowrap"
          style={at < times.length / 2 ? { left: x(at) + band / 2 + 4 } : { right: width - x(at) + band / 2 + 4 }}
        >
          <dt className="font-medium">{times[at]}</dt>
          {series.map(({ key, word, values }) => {
            const value = values[at];
            return <dd key={key}>{`${word} ${value == null ? "–" : format(value)}`}</dd>;
          })}
        </dl>
      )}
    </div>
  );
}

type Scale = (value: number) => number;
type BarsProps = { series: readonly Series[]; count: number; band: number; x: Scale; y: Scale };

/** Bars whose parts stand on each other. */
function Bars({ series, count, band, x, y }: BarsProps) {
  const width = Math.min(BAR_MAX_PX, band * 0.8);
  return Array.from({ length: count }, (_, index) => {
    let below = 0;
    return series.map(({ key, ink, values }) => {
      const [from, to] = [below, below + (values[index] ?? 0)];
      below = to;
      return (
        to > from && (
          <rect
            // biome-ignore lint/suspicious/noArrayIndexKey: a bar is what stands at a time
            key={`${key}-${index}`}
            x={x(index) - width / 2}
            y={y(to)}
            width={width}
            height={y(from) - y(to)}
            fill={ink}
          />
        )
      );
    });
  });
}

/** Line through the values of one series: broken where one is missing, with a dot for a value between two such. */
function Line({ series: { ink, dashes, values }, x, y }: { series: Series; x: Scale; y: Scale }) {
  const has = (index: number) => values[index] != null;
  const places = values.flatMap((value, index) =>
    value === null ? [] : [{ index, at: `${x(index)} ${y(value)}`, value }],
  );
  const path = places.map(({ index, at }) => `${has(index - 1) ? "L" : "M"}${at}`).join("");
  return (
    <>
      <path d={path} fill="none" stroke={ink} strokeWidth={2} strokeDasharray={dashes} />
      {places
        .filter(({ index }) => !has(index - 1) && !has(index + 1))
        .map(({ index, value }) => (
          <circle key={index} cx={x(index)} cy={y(value)} r={3} fill={ink} />
        ))}
    </>
  );
}
