import { useMemo, useState } from "react";
import { buildCurl, copyOfLink } from "@/api/copies";
import type { RemovedJob } from "@/api/types";
import { useJobFacts } from "@/jobs/detail/header/JobFacts";
import { HistoryTabs } from "@/jobs/detail/history/HistoryTabs";
import { JobInputs } from "@/jobs/detail/result/JobInputs";
import { ResultSection } from "@/jobs/detail/result/ResultSection";
import { HISTORY_ID } from "@/jobs/detail/standing/JobProgress";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { groupBySubmission } from "@/jobs/model/submissions";
import { formatCount } from "@/lib/format";
import { ButtonLink } from "@/ui/controls/button";
import { ThingHead } from "@/ui/display/ThingHead";
import { ExactTime } from "@/ui/display/time";
import { ENTRIES_MAX, isRemoval } from "./queries";

type ArchivedJobProps = { removed: RemovedJob & { isCut: boolean } };

/** A removed job as the archive has it: head, verdict, result and history, in the parts that show them of other jobs. */
export function ArchivedJob({ removed }: ArchivedJobProps) {
  const { job, logs, parts, receipt, removed_at: removedAt, isCut } = removed;
  const [isWide, setWide] = useState(false);
  const known = useMemo(() => logs.filter((log) => !isRemoval(log)), [logs]); // what follows its end is no part of it
  const submissions = useMemo(() => groupBySubmission(known), [known]);
  const removal = logs.findLast(isRemoval);
  const facts = useJobFacts(job);
  const path = "/api/removed-jobs/{job_id}";
  return (
    <>
      <p role="status" className="rounded border border-resubmit bg-resubmit-tint p-2 wrap-anywhere">
        <b className="font-medium">From the archive</b>
        {parts.length > 0 && `, ${parts.length === 1 ? "part" : "parts"} ${parts.map(formatCount).join(", ")}`}: as it
        stood when it was removed, <ExactTime at={removedAt} />
        {removal?.actor && (
          <>
            {" "}
            by <bdi>{removal.actor}</bdi>
          </>
        )}
        {removal?.message && (
          <>
            : <bdi>{removal.message}</bdi>
          </>
        )}
        .{isCut && ` Only the first ${formatCount(ENTRIES_MAX)} entries of its log are shown.`}
      </p>
      <ThingHead
        badge={<JobStatusBadge status={job.status} isCancelled={job.cancelled} />}
        title={job.title}
        facts={facts}
        step={
          receipt && (
            <ButtonLink
              href={`data:application/json,${encodeURIComponent(receipt)}`}
              download={`receipt-${job.id}.json`}
              title="A signed statement of its last verdict, which anybody can verify"
            >
              Receipt
            </ButtonLink>
          )
        }
        choices={[]}
        copies={[
          copyOfLink,
          { words: "id", make: () => job.id },
          { words: "curl", make: () => buildCurl(path, { path: { job_id: job.id } }) },
        ]}
      />
      <ResultSection
        job={job}
        logs={known}
        submissions={submissions}
        isPending={false}
        isWide={isWide}
        onWide={() => setWide(!isWide)}
        wasThere={false}
        isArchived
      />
      <JobInputs job={job} isHidden={isWide} />
      <section id={HISTORY_ID} aria-label="History" hidden={isWide}>
        <h2 className="pb-2 text-lg font-semibold">History</h2>
        <HistoryTabs job={job} newest={known} known={known} submissions={submissions} />
      </section>
    </>
  );
}
