import { type UseQueryResult, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useAgentNames } from "@/api/agents";
import { ReadState } from "@/api/ProblemState";
import type { Job } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { pluralize } from "@/lib/format";
import { refetchJobs } from "@/live/apply-changes";
import { useUnseen } from "@/live/use-live";
import { Button, buttonLook } from "@/ui/controls/button";
import { EmptyState } from "@/ui/display/states";
import { Time } from "@/ui/display/time";

type NewestJobsProps = { query: UseQueryResult; jobs: readonly Job[]; isGuided: boolean };

/** The newest jobs, whose rows change in place; newer ones wait until somebody asks, so that no row moves by itself. */
export function NewestJobs({ query, jobs, isGuided }: NewestJobsProps) {
  const client = useQueryClient();
  const { nameOf } = useAgentNames();
  const known = new Set(jobs.map(({ id }) => id));
  const newer = [...useUnseen()].filter((id) => !known.has(id)).length;
  const isEmpty = query.data !== undefined && jobs.length === 0;
  useEffect(() => {
    if (isEmpty && newer > 0) void refetchJobs(client); // there is no row that could move
  }, [isEmpty, newer, client]);
  return (
    <section aria-labelledby="newest" className="space-y-1">
      <div className="flex min-h-8 items-center gap-4">
        <h2 id="newest" className="font-medium">
          Newest jobs
        </h2>
        {newer > 0 && (
          <Button size="small" onClick={() => void refetchJobs(client)}>
            Show {pluralize(newer, "new job")}
          </Button>
        )}
        <Link to="/jobs" search={{}} className="ml-auto inline-flex min-h-6 items-center text-accent underline">
          All jobs
        </Link>
      </div>
      <ReadState query={query} what="the newest jobs">
        {null}
      </ReadState>
      {jobs.length > 0 ? (
        <ul className="divide-y border-y">
          {jobs.map((job) => (
            <li key={job.id} className="flex min-h-10 items-center gap-x-3 py-1">
              <JobStatusBadge status={job.status} isLive={job.live} isCancelled={job.cancelled} />
              <Link
                to="/jobs/$id"
                params={{ id: job.id }}
                title={job.title}
                className="min-w-0 grow truncate font-medium hover:underline pointer-coarse:leading-8"
              >
                <bdi>{job.title}</bdi>
              </Link>
              <bdi title={job.agent_id} className="max-w-40 truncate text-muted max-sm:hidden">
                {job.agent_id ? nameOf(job.agent_id) : "no agent"}
              </bdi>
              <Time at={job.updated_at} className="w-16 shrink-0 text-right text-xs text-muted" />
            </li>
          ))}
        </ul>
      ) : (
        isEmpty && (
          <EmptyState
            title="No jobs yet"
            action={!isGuided && <NewJobLink />}
            command={isGuided ? undefined : "signoff demo"}
          />
        )
      )}
    </section>
  );
}

function NewJobLink() {
  return (
    <Link to="/new" search={{}} className={buttonLook({ kind: "primary" })}>
      New job
    </Link>
  );
}
