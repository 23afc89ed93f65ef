import { useState } from "react";
import type { JobLog, JobLogStatus } from "@/api/types";
import { useChoice } from "@/lib/storage";
import { Select } from "@/ui/field";
import { LOOKS } from "../status";
import { SubmissionGroup } from "./SubmissionGroup";
import { submissionsOf } from "./submissions";

type JobHistoryProps = { logs: readonly JobLog[]; isCut?: boolean };

const NEWEST_FIRST = true;

/** Everything that was recorded, by submission. */
export function JobHistory({ logs, isCut = false }: JobHistoryProps) {
  const [newestFirst, setNewestFirst] = useChoice("history.newest-first", NEWEST_FIRST);
  const [kind, setKind] = useState<JobLogStatus | "">("");
  const submissions = submissionsOf(logs);
  const last = submissions.at(-1)?.key;
  const shown = submissions
    .map((submission) => ({ ...submission, logs: submission.logs.filter((log) => kind === "" || log.status === kind) }))
    .filter((submission) => submission.logs.length > 0);
  const kinds = [...new Set(logs.map((log) => log.status))];
  return (
    <div>
      <div className="flex flex-wrap gap-2 pb-2">
        <Select
          aria-label="Order"
          className="w-auto"
          value={String(newestFirst)}
          onChange={(event) => setNewestFirst(event.target.value === "true")}
        >
          <option value="true">Newest first</option>
          <option value="false">Oldest first</option>
        </Select>
        <Select
          aria-label="Kind"
          className="w-auto"
          value={kind}
          onChange={(event) => setKind(event.target.value as JobLogStatus | "")}
        >
          <option value="">All kinds</option>
          {kinds.map((status) => (
            <option key={status} value={status}>
              {LOOKS[status].word}
            </option>
          ))}
        </Select>
      </div>
      {(newestFirst ? shown.toReversed() : shown).map((submission) => (
        <SubmissionGroup
          key={submission.key}
          submission={submission}
          isOpen={submission.key === last || submissions.length <= 2}
          newestFirst={newestFirst}
        />
      ))}
      {isCut && <p className="pt-2 text-muted">Only the first {logs.length} entries are shown.</p>}
    </div>
  );
}
