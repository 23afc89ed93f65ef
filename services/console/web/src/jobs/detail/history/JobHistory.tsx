import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { JobLog } from "@/api/types";
import { OLDER_SIZE, olderLogsQuery } from "@/jobs/model/logs";
import { lookOf } from "@/jobs/model/status";
import { groupBySubmission, type Submission } from "@/jobs/model/submissions";
import { formatNextPortion } from "@/lib/format";
import { useStoredChoice } from "@/lib/stored-choice";
import { Button } from "@/ui/controls/button";
import { Select } from "@/ui/controls/field";
import { SubmissionGroup } from "./SubmissionGroup";

type JobHistoryProps = {
  jobId: string;
  /** The newest entries, oldest first. */
  newest: readonly JobLog[];
  /** The submissions as far as they are known: they have their names from here, however far the history was read. */
  known?: readonly Submission[];
  /** Version of the entry that is to be shown. */
  wanted?: number | null;
};

// What is appended moves nothing that somebody reads.
const NEWEST_FIRST = false;
const NONE: readonly Submission[] = [];

/** History of a job by submission; older entries are read on demand. */
export function JobHistory({ jobId, newest, known = NONE, wanted = null }: JobHistoryProps) {
  const older = useInfiniteQuery(olderLogsQuery(jobId, newest[0]?.version ?? 1));
  const logs = useMemo(() => {
    const before = older.data?.pages.flatMap((page) => page.items) ?? [];
    return [...before.reverse(), ...newest];
  }, [older.data, newest]);
  const first = logs[0]?.version ?? 1;
  const left = first - 1;
  const { isFetching, isError, fetchNextPage } = older;
  const isOlder = wanted !== null && wanted < first && !isFetching && !isError;
  useEffect(() => {
    if (isOlder) void fetchNextPage();
  }, [isOlder, fetchNextPage]);
  const [newestFirst, setNewestFirst] = useStoredChoice("history.newest-first", NEWEST_FIRST);
  const [kind, setKind] = useState("");
  const submissions = groupBySubmission(logs);
  const last = submissions.at(-1)?.key;
  const shown = submissions
    .map((submission) => ({
      ...submission,
      name: known.find(({ key }) => key === submission.key)?.name ?? submission.name,
      logs: submission.logs.filter((log) => kind === "" || log.status === kind),
    }))
    .filter((submission) => submission.logs.length > 0);
  const kinds = [...new Set(logs.map((log) => log.status))];
  const more = left > 0 && (
    <div className="space-y-2 border-t py-2 first:border-t-0">
      <ProblemState error={older.error} />
      <Button aria-busy={older.isFetching} unavailable={older.isFetching} onClick={() => void older.fetchNextPage()}>
        Show {formatNextPortion(left, OLDER_SIZE)} older
      </Button>
    </div>
  );
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
        <Select aria-label="Kind" className="w-auto" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">All kinds</option>
          {kinds.map((status) => (
            <option key={status} value={status}>
              {lookOf(status).word}
            </option>
          ))}
        </Select>
      </div>
      {!newestFirst && more}
      {(newestFirst ? shown.toReversed() : shown).map((submission) => (
        <SubmissionGroup
          key={submission.key}
          submission={submission}
          isCut={left > 0 && submission.key === submissions[0]?.key}
          isOpen={submission.key === last || submissions.length <= 2}
          newestFirst={newestFirst}
          wanted={wanted}
        />
      ))}
      {newestFirst && more}
    </div>
  );
}
