import { use } from "react";
import { AgentName } from "@/api/AgentName";
import type { Job } from "@/api/types";
import { useReasons } from "@/jobs/list/state/use-waiting";
import { ReasonLine } from "@/jobs/model/WhyItWaits";
import { Time } from "@/ui/display/time";
import { formatSubmission, JobLink, Mismatch, MismatchText, Status } from "./columns";

/** Job as a card, where there is no room for columns. */
export function JobCard({ job }: { job: Job }) {
  const mismatch = use(Mismatch);
  const [reason] = useReasons(job);
  return (
    <span className="block min-w-0 space-y-1">
      <JobLink job={job} className="block" />
      <span className="flex items-center gap-2 text-xs text-muted">
        <Status job={job} />
        <span className="min-w-0 truncate">
          {mismatch === null && reason && <ReasonLine reason={reason} />}
          {mismatch !== null && <MismatchText />}
          {mismatch === null && !reason && (
            <>
              {job.agent_id ? <AgentName id={job.agent_id} /> : "no agent"} · submission {formatSubmission(job)}
            </>
          )}
        </span>
        <Time at={job.updated_at} className="ml-auto shrink-0" />
      </span>
    </span>
  );
}
