import { Link } from "@tanstack/react-router";
import type { Overview } from "@/api/types";
import { formatCount, formatDuration, formatMoney, formatPercent } from "@/lib/format";
import { Tile, TileGroup } from "@/ui/display/tiles";
import { acceptanceRate } from "./series";

/** Tiles of current gauges and of the range's totals. */
export function Tiles({ overview }: { overview: Overview }) {
  const { now, totals } = overview;
  const dead = Object.values(now.dead_letters ?? {}).reduce((sum, number) => sum + number, 0);
  const accepted = totals.acceptance_rate ?? acceptanceRate(totals);
  return (
    <div className="space-y-3">
      <TileGroup name="Now">
        <Tile name="Queued">{formatCount(now.queued)}</Tile>
        <Tile name="Running">{formatCount(now.running)}</Tile>
        <Tile name="Being judged">{formatCount(now.judging)}</Tile>
        <Tile name="Longest wait">{now.oldest_wait_s == null ? "–" : formatDuration(now.oldest_wait_s * 1_000)}</Tile>
        <Link to="/system/dead-letters" className="hover:bg-sunken">
          <Tile name="Dead letters" className={dead > 0 ? "text-failed" : ""}>
            {formatCount(dead)}
          </Tile>
        </Link>
      </TileGroup>
      <TileGroup name="In this range">
        <Tile name="Created">{formatCount(totals.created)}</Tile>
        <Tile name="Completed">{formatCount(totals.completed)}</Tile>
        <Tile name="Failed">{formatCount(totals.failed)}</Tile>
        <Tile name="Accepted">{accepted === null ? "–" : formatPercent(accepted)}</Tile>
        <Tile name={`Cost as claimed, ${formatCount(totals.tokens)} tokens`}>
          {Number(totals.cost_usd) > 0 ? formatMoney(totals.cost_usd) : "–" /* what nobody told is not free */}
        </Tile>
      </TileGroup>
    </div>
  );
}
