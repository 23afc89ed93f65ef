import {
  Bar,
  CartesianGrid,
  ComposedChart,
  type DotItemDotProps,
  Line,
  ResponsiveContainer,
  Tooltip,
  XAxis,
  YAxis,
} from "recharts";
import type { OverviewPoint } from "@/api/types";
import { toIntlZone, useZone } from "@/ui/display/time";
import type { Range } from "./queries";
import { CHARTS, type ChartLook, formatPointTime } from "./series";

const HEIGHT_PX = 180;
const AXIS = { fill: "var(--muted)", fontSize: 12 } as const;
const TIP = { background: "var(--surface)", border: "1px solid var(--control)", borderRadius: 6, fontSize: 12 };

type ChartsProps = { points: readonly OverviewPoint[]; range: Range };

/** All charts. Loaded apart from the page, since the chart library is larger than the rest of it. */
export default function Charts({ points, range }: ChartsProps) {
  return (
    <>
      {CHARTS.map((look) => (
        <Chart key={look.title} look={look} points={points} range={range} />
      ))}
    </>
  );
}

function Chart({ look, points, range }: ChartsProps & { look: ChartLook }) {
  const { title, hint, kind, series, format, tick = format } = look;
  const zone = toIntlZone(useZone()[0]);
  const rows = points.map((point) => ({
    name: formatPointTime(point.at, range, zone),
    ...Object.fromEntries(series.map(({ key, of }) => [key, of(point)])),
  }));
  return (
    <figure className="min-w-0 rounded border p-3 lg:last:odd:col-span-2">
      <figcaption>
        <h2 className="font-semibold">{title}</h2>
        <p className="text-xs text-muted">{hint}</p>
      </figcaption>
      <Legend series={series} />
      <div aria-hidden style={{ height: HEIGHT_PX }}>
        <ResponsiveContainer width="100%" height="100%" initialDimension={{ width: 400, height: HEIGHT_PX }}>
          <ComposedChart data={rows} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
            <CartesianGrid vertical={false} stroke="var(--hairline)" />
            <XAxis dataKey="name" tick={AXIS} tickLine={false} stroke="var(--control)" minTickGap={40} />
            <YAxis
              tick={AXIS}
              tickLine={false}
              axisLine={false}
              width={64}
              tickFormatter={tick}
              allowDecimals={format !== CHARTS[0]?.format}
              domain={title === "Acceptance rate" ? [0, 1] : undefined}
            />
            <Tooltip
              isAnimationActive={false}
              cursor={{ fill: "var(--sunken)", stroke: "var(--control)" }}
              contentStyle={TIP}
              labelStyle={{ color: "var(--text)" }}
              itemStyle={{ color: "var(--text)", padding: 0 }}
              itemSorter={() => 0}
              separator=" "
              formatter={(value) => (typeof value === "number" ? format(value) : "–")}
            />
            {series.map(({ key, word, ink, dashes }) =>
              kind === "bar" ? (
                <Bar
                  key={key}
                  dataKey={key}
                  name={word}
                  stackId="all"
                  fill={ink}
                  isAnimationActive={false}
                  maxBarSize={24}
                />
              ) : (
                <Line
                  key={key}
                  dataKey={key}
                  name={word}
                  stroke={ink}
                  strokeWidth={2}
                  strokeDasharray={dashes}
                  dot={LoneDot}
                  type="linear"
                  isAnimationActive={false}
                />
              ),
            )}
          </ComposedChart>
        </ResponsiveContainer>
      </div>
      <ChartTable look={look} points={points} range={range} />
    </figure>
  );
}

/** Dot for a point without neighbours, which a line would not show. */
function LoneDot({ points, index, cx, cy, stroke }: DotItemDotProps) {
  const [before, here, after] = [index - 1, index, index + 1].map((at) => points[at]?.y ?? null);
  return here === null || before !== null || after !== null ? null : <circle cx={cx} cy={cy} r={3} fill={stroke} />;
}

/** Legend of a chart with several series; with one, it keeps its height so that charts align. */
function Legend({ series }: Pick<ChartLook, "series">) {
  return (
    <ul className="flex min-h-6 flex-wrap gap-x-3 text-xs text-muted">
      {series.length > 1 &&
        series.map(({ key, word, icon: Icon, ink, dashes }) => (
          <li key={key} className="inline-flex items-center gap-1">
            {Icon ? (
              <Icon aria-hidden size={14} color={ink} />
            ) : (
              <svg aria-hidden width={18} height={8}>
                <line x1={0} x2={18} y1={4} y2={4} stroke={ink} strokeWidth={2} strokeDasharray={dashes} />
              </svg>
            )}
            {word}
          </li>
        ))}
    </ul>
  );
}

/** Table of a chart's numbers for screen readers. */
function ChartTable({ look, points, range }: ChartsProps & { look: ChartLook }) {
  const { title, series, format } = look;
  const zone = toIntlZone(useZone()[0]);
  return (
    // A table cannot be narrower than its words, so the element around it hides it.
    <div className="sr-only">
      <table>
        <caption>{title} over time</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map(({ key, word }) => (
              <th key={key} scope="col">
                {word}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {points.map((point) => (
            <tr key={point.at}>
              <th scope="row">{formatPointTime(point.at, range, zone)}</th>
              {series.map(({ key, of }) => {
                const value = of(point);
                return <td key={key}>{value === null ? "nothing" : format(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
