import type { OverviewPoint } from "@/api/types";
import { TimeChart } from "@/ui/display/TimeChart";
import { toIntlZone, useZone } from "@/ui/display/time";
import type { Range } from "./queries";
import { CHARTS, formatPointTime } from "./series";

type ChartsProps = { points: readonly OverviewPoint[]; range: Range };

/** All charts of the overview. */
export function Charts({ points, range }: ChartsProps) {
  const zone = toIntlZone(useZone()[0]);
  const times = points.map(({ at }) => formatPointTime(at, range, zone));
  return CHARTS.map(({ series, ...look }) => (
    <TimeChart
      key={look.title}
      {...look}
      times={times}
      series={series.map(({ of, ...each }) => ({ ...each, values: points.map(of) }))}
    />
  ));
}
