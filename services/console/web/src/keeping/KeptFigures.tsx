import { useState } from "react";
import type { Kept } from "@/api/types";
import { formatBytes, formatCount, pluralize } from "@/lib/format";
import { type Column, FigureTable } from "@/ui/display/FigureTable";
import { Tile, TileGroup } from "@/ui/display/tiles";
import { Time } from "@/ui/display/time";
import { describeKind, describeRetentionName } from "./describe-kept";

type Of<Key extends "jobs" | "tables" | "topics" | "next"> = Kept[Key][number];

const sum = (rows: readonly { bytes: number }[]) => rows.reduce((total, { bytes }) => total + bytes, 0);

/** How much is kept, in all and a day. */
export function KeptTiles({ kept }: { kept: Kept }) {
  const { archive, growth, topics } = kept;
  return (
    <TileGroup name="How much">
      <Tile name="Tables">{formatBytes(kept.database_bytes)}</Tile>
      <Tile name="Topics, on each broker together">{topics.length > 0 ? formatBytes(sum(topics)) : "–"}</Tile>
      <Tile name={archive.is_configured ? `Archive, ${pluralize(archive.parts, "part")}` : "Archive"}>
        {archive.is_configured ? formatBytes(archive.bytes) : "none"}
      </Tile>
      <Tile name="Tables grow a day, about">{growth.days > 0 ? formatBytes(growth.database_bytes_per_day) : "–"}</Tile>
      <Tile name="Removed jobs of which a line stays">{formatCount(kept.removed)}</Tile>
    </TileGroup>
  );
}

const NEXT: Column<Of<"next">>[] = [
  { key: "tenant", name: "Tenant", valueOf: (row) => row.tenant, show: (row) => describeNext(row) },
  { key: "at", name: "When", valueOf: (row) => row.at, show: (row) => <Time at={row.at} /> },
  { key: "due", name: "Due now", valueOf: (row) => row.due, show: (row) => formatCount(row.due) },
];

const describeNext = ({ tenant, kind }: Pick<Of<"next">, "tenant" | "kind">) => (
  <>
    <bdi>{describeRetentionName(`tenant:${tenant}`)}</bdi>, {describeKind(kind).toLowerCase()}
  </>
);

const JOBS: Column<Of<"jobs">>[] = [
  {
    key: "tenant",
    name: "Tenant",
    valueOf: (row) => row.tenant,
    show: ({ tenant, status: kind }) => describeNext({ tenant, kind }),
  },
  { key: "count", name: "Jobs", valueOf: (row) => row.count, show: (row) => formatCount(row.count) },
  {
    key: "old",
    name: "Over 90 days",
    isExtra: true,
    valueOf: (row) => row.by_age[4] ?? 0,
    show: (row) => formatCount(row.by_age[4] ?? 0),
  },
  {
    key: "oldest",
    name: "Oldest",
    valueOf: (row) => row.oldest_at,
    show: (row) => (row.oldest_at ? <Time at={row.oldest_at} /> : "–"),
  },
];

const TABLES: Column<Of<"tables">>[] = [
  { key: "name", name: "Table", valueOf: (row) => row.name, show: (row) => row.name },
  { key: "rows", name: "Rows, about", valueOf: (row) => row.rows, show: (row) => formatCount(row.rows) },
  { key: "bytes", name: "Size", valueOf: (row) => row.bytes, show: (row) => formatBytes(row.bytes) },
];

const TOPICS: Column<Of<"topics">>[] = [
  { key: "topic", name: "Topic", valueOf: (row) => row.topic, show: (row) => row.topic },
  { key: "bytes", name: "Size", valueOf: (row) => row.bytes, show: (row) => formatBytes(row.bytes) },
];

/** What goes next, and what is kept by tenant, table and topic. */
export function KeptTables({ kept }: { kept: Kept }) {
  const [sorted, sort] = useState<Record<string, string>>({});
  const sorting = (key: string) => ({ sorted: sorted[key], onSort: (by: string) => sort({ ...sorted, [key]: by }) });
  return (
    <>
      <FigureTable
        title="What goes next"
        hint="What its retention lets go first, by tenant and how it ended."
        columns={NEXT}
        rows={kept.next}
        keyOf={({ tenant, kind }) => `${tenant} ${kind}`}
        none={kept.is_on ? "Nothing that is kept has an end yet." : "Nothing: no retention says that anything goes."}
        {...sorting("next")}
      />
      <FigureTable
        title="Jobs"
        hint="By tenant and where they stand; how long they rest counts."
        columns={JOBS}
        rows={kept.jobs}
        keyOf={({ tenant, status }) => `${tenant} ${status}`}
        none="There is no job."
        {...sorting("jobs")}
      />
      <div className="grid gap-6 lg:grid-cols-2">
        <FigureTable
          title="Tables"
          hint="Of the database, with their indexes."
          columns={TABLES}
          rows={kept.tables}
          keyOf={({ name }) => name}
          none="None is known."
          {...sorting("tables")}
        />
        <FigureTable
          title="Topics"
          hint="Of Kafka, on each broker together."
          columns={TOPICS}
          rows={kept.topics}
          keyOf={({ topic }) => topic}
          none="The brokers do not say: they are out of reach, or older than Kafka 3.3."
          {...sorting("topics")}
        />
      </div>
    </>
  );
}
