import { useQuery } from "@tanstack/react-query";
import { holdsQuery } from "@/api/holds";
import { useMe } from "@/api/me";
import { ReadState } from "@/api/ProblemState";
import { SystemPages } from "@/api/SystemPages";
import { useTenant } from "@/api/tenants";
import type { Kept } from "@/api/types";
import { formatBytes, formatCount, formatDuration, pluralize } from "@/lib/format";
import { useTitle } from "@/lib/use-title";
import { Loading, Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { Holds } from "./Holds";
import { KeptBackList } from "./KeptBackList";
import { KeptTables, KeptTiles } from "./KeptFigures";
import { keptQuery, retentionsQuery } from "./queries";
import { Retentions } from "./Retentions";

/** Page of what is kept: how long, how much, how it grows, what goes next, and what keeps removal back. */
export function KeptPage() {
  useTitle("Kept");
  const me = useMe();
  const readsAll = me?.may.includes("get_kept") ?? false; // who reads some tenants sees how long theirs is kept
  const kept = useQuery({ ...keptQuery, enabled: readsAll });
  const retentions = useQuery(retentionsQuery(useTenant()));
  const holds = useQuery(holdsQuery(useTenant()));
  // All are shown at once, so that nothing moves as another arrives.
  const isPending = me === undefined || kept.isLoading || retentions.isPending || holds.isPending;
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <SystemPages />
      <h1 className="text-xl font-semibold">Kept</h1>
      {isPending ? (
        <Loading what="what is kept">
          <Skeleton className="h-96" />
        </Loading>
      ) : (
        <>
          <Retentions query={retentions} />
          <ReadState query={holds} what="holds" />
          <Holds holds={holds.data ?? []} />
          {readsAll && <ReadState query={kept} what="what is kept" />}
          {kept.data && <AllKept kept={kept.data} />}
        </>
      )}
    </div>
  );
}

function AllKept({ kept }: { kept: Kept }) {
  return (
    <>
      <KeptTiles kept={kept} />
      <p className="text-muted">{describeGrowth(kept)}</p>
      {kept.kept_back.length > 0 && (
        <section aria-label="What keeps removal back" className="space-y-2">
          <h2 className="text-lg font-semibold">What keeps removal back</h2>
          <KeptBackList reasons={kept.kept_back} />
        </section>
      )}
      <Archive archive={kept.archive} />
      <KeptTables kept={kept} />
    </>
  );
}

const DAY_MS = 86_400_000;

/** Describe how it grows: of how many days, and by how much. */
function describeGrowth({ growth, uncut }: Kept): string {
  const { days, jobs_per_day: jobs, archive_bytes_per_day: archived } = growth;
  const grows =
    days > 0
      ? `Of the last ${days < 1 ? formatDuration(days * DAY_MS) : pluralize(Math.round(days), "day")}: ${pluralize(Math.round(jobs), "job")} a day, and ${formatBytes(archived)} of archive.`
      : "How it grows is known after a day.";
  return uncut > 0 ? `${grows} The logs of ${pluralize(uncut, "removed job")} are still to be cut.` : grows;
}

/** How far the archive is: nothing is removed that is not in it. */
function Archive({ archive }: { archive: Kept["archive"] }) {
  if (!archive.is_configured) {
    return (
      <p>
        There is no archive, and nothing is removed without one: set <code className="font-mono">SIGNOFF_ARCHIVE</code>{" "}
        to a directory or a bucket.
      </p>
    );
  }
  return (
    <section aria-label="Archive">
      <h2 className="text-lg font-semibold">Archive</h2>
      <p className="flex flex-wrap gap-x-4">
        <span>{archive.newest_at ? <Time at={archive.newest_at} before="newest part " /> : "no part yet"}</span>
        <span>{archive.behind > 0 ? `${formatCount(archive.behind)} entries behind` : "nothing behind"}</span>
        <span>
          {archive.checkpoint_at ? (
            <Time at={archive.checkpoint_at} before={`checkpoint ${formatCount(archive.checkpoint)} `} />
          ) : (
            "no checkpoint yet"
          )}
        </span>
      </p>
    </section>
  );
}
