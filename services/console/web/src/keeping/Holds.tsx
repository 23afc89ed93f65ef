import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { useRefusal } from "@/api/me";
import type { Hold } from "@/api/types";
import { HeldBy } from "@/jobs/actions/HeldBy";
import HoldDialog from "@/jobs/actions/HoldDialog";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";

/** So many are drawn at once. */
const SHOWN_MAX = 50;

/** Jobs that nothing removes until they are released. */
export function Holds({ holds }: { holds: readonly Hold[] }) {
  const [released, release] = useState<Hold | null>(null);
  const refused = useRefusal()("release_job");
  if (holds.length === 0) return null;
  return (
    <section id="holds" aria-label="Held" className="space-y-2">
      <h2 className="text-lg font-semibold">Held</h2>
      <p className="text-muted">{pluralize(holds.length, "job")} that nothing removes until somebody releases them.</p>
      <ul className="divide-y border-y">
        {holds.slice(0, SHOWN_MAX).map((hold) => (
          <li key={hold.job_id} className="flex flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
            <Link
              to="/jobs/$id"
              params={{ id: hold.job_id }}
              className="min-w-0 grow basis-40 font-mono text-xs text-accent wrap-anywhere hover:underline"
            >
              <bdi>{hold.job_id}</bdi>
            </Link>
            <span className="min-w-0 grow-2 basis-64">
              <HeldBy hold={hold} />
            </span>
            <Button aria-label={`Release ${hold.job_id}`} reason={refused} onClick={() => release(hold)}>
              Release
            </Button>
          </li>
        ))}
      </ul>
      {released && <HoldDialog jobId={released.job_id} hold={released} onClose={() => release(null)} />}
    </section>
  );
}
