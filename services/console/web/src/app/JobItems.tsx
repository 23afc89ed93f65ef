import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import { jobKeys } from "@/api/keys";
import { asApiError } from "@/api/problem";
import type { Job, JobsPage } from "@/api/types";
import { JobStatusBadge } from "@/jobs/JobStatusBadge";
import { shortId } from "@/lib/format";

const NONE: Job[] = [];
const JOB = "job/";
const LEAST = 2;
const MOST = 8;
const PAUSE_MS = 200;

/** A command has every word in its name; jobs, which the console has found, stand below. */
export function rank(value: string, text: string): number {
  if (value.startsWith(JOB)) return Number.EPSILON;
  const name = value.toLowerCase();
  const words = text.toLowerCase().trim().split(/\s+/);
  if (!words.every((word) => name.includes(word))) return 0;
  return name.startsWith(words[0] ?? "") ? 1 : 0.5;
}

type JobItemsProps = {
  text: string;
  className: string;
  /** Which item Enter runs: the first job, where no command is called so. */
  chosen: string;
  onChoose: (value: string) => void;
  onOpen: (id: string) => void;
};

/** The newest jobs whose title or id holds a text. */
export function JobItems({ text, className, chosen, onChoose, onOpen }: JobItemsProps) {
  const sought = usePaused(text.trim());
  const found = useQuery({
    queryKey: [...jobKeys.all, "sought", sought],
    enabled: sought.length >= LEAST,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: ({ signal }): Promise<JobsPage> =>
      api.get("/api/jobs", { query: { q: sought, limit: MOST, fields: "summary" }, signal }),
  });
  const jobs = found.data?.items ?? NONE;
  const isLost = chosen === "" || (chosen.startsWith(JOB) && !jobs.some(({ id }) => chosen === JOB + id));
  const first = jobs[0]?.id;
  useEffect(() => {
    if (isLost && first) onChoose(JOB + first);
  }, [isLost, first, onChoose]);
  if (text.trim().length < LEAST) return null;
  const isComing = found.isFetching || sought !== text.trim();
  return (
    <Command.Group heading="Jobs" forceMount className={HEADED_GROUP}>
      {jobs.map((job) => (
        <Command.Item
          key={job.id}
          forceMount={false} // as the group is: there is something to say without jobs, too
          value={JOB + job.id}
          className={className}
          onSelect={() => onOpen(job.id)}
        >
          <span className="flex min-w-0 items-center gap-2">
            <JobStatusBadge status={job.status} isLive={job.live} />
            <span className="truncate">{job.title}</span>
            <span className="ml-auto shrink-0 font-mono text-xs text-muted">{shortId(job.id)}</span>
          </span>
        </Command.Item>
      ))}
      <p role="status" className="px-2 py-1 text-xs text-muted">
        {found.error ? `No jobs could be found: ${asApiError(found.error).title}.` : null}
        {!found.error && isComing && jobs.length === 0 ? "Jobs are searched for…" : null}
        {!found.error && !isComing && jobs.length === 0 ? "No job has this in its title or id." : null}
      </p>
    </Command.Group>
  );
}

export const HEADED_GROUP =
  "**:[[cmdk-group-heading]]:px-2 **:[[cmdk-group-heading]]:text-xs **:[[cmdk-group-heading]]:text-muted";

/** A text once it has not changed for a moment. */
function usePaused(text: string): string {
  const [paused, setPaused] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setPaused(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return paused;
}
