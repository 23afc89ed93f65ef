import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { useEffect, useState } from "react";
import { api } from "@/api/client";
import { toApiError } from "@/api/problem";
import { jobKeys } from "@/api/query-keys";
import { ofTenant, useTenant } from "@/api/tenants";
import type { Job, JobsPage } from "@/api/types";
import { JobStatusBadge } from "@/jobs/model/JobStatusBadge";
import { shortenId } from "@/lib/format";

const NONE: Job[] = [];
const JOB_PREFIX = "job/";
/** Shortest text, in characters, for which jobs are searched. */
export const SEARCH_MIN_CHARS = 2;
const JOBS_SHOWN = 8;
const PAUSE_MS = 200;

/** Rank a command by the typed text: all words must be in its name. Jobs, which the console has matched, rank below. */
export function rankCommand(value: string, text: string): number {
  if (value.startsWith(JOB_PREFIX)) return Number.EPSILON;
  const name = value.toLowerCase();
  const words = text.toLowerCase().trim().split(/\s+/);
  if (!words.every((word) => name.includes(word))) return 0;
  return name.startsWith(words[0] ?? "") ? 1 : 0.5;
}

type FoundJobs = {
  jobs: readonly Job[];
  /** Message shown when there are no jobs. */
  message: string;
};

/** Search for the newest jobs whose title or id contains a text. */
export function useJobSearch(text: string): FoundJobs {
  const wanted = text.trim();
  const sought = useDebounced(wanted);
  const tenant = useTenant();
  const found = useQuery({
    queryKey: [...jobKeys.all, "sought", sought, tenant],
    enabled: sought.length >= SEARCH_MIN_CHARS,
    placeholderData: keepPreviousData,
    retry: false,
    queryFn: ({ signal }): Promise<JobsPage> =>
      api.get("/api/jobs", { query: { text: sought, page_size: JOBS_SHOWN, ...ofTenant(tenant) }, signal }),
  });
  if (wanted.length < SEARCH_MIN_CHARS) return { jobs: NONE, message: "" };
  if (found.error) return { jobs: NONE, message: `No jobs could be found: ${toApiError(found.error).title}.` };
  const holds = (each: string) => each.toLowerCase().includes(wanted.toLowerCase());
  const jobs = found.data?.items.filter(({ title, id }) => holds(title) || holds(id)) ?? NONE;
  if (jobs.length > 0) return { jobs, message: "" };
  const isComing = found.isFetching || sought !== wanted;
  return { jobs, message: isComing ? "Jobs are searched for…" : "No job has this in its title or id." };
}

type JobItemsProps = {
  jobs: readonly Job[];
  className: string;
  /** Item that Enter runs: the first job when no command matches. */
  chosen: string;
  onChoose: (value: string) => void;
  onOpen: (id: string) => void;
};

/** Group of found jobs in the palette. */
export function JobItems({ jobs, className, chosen, onChoose, onOpen }: JobItemsProps) {
  const isLost = chosen === "" || (chosen.startsWith(JOB_PREFIX) && !jobs.some(({ id }) => chosen === JOB_PREFIX + id));
  const first = jobs[0]?.id;
  useEffect(() => {
    if (isLost && first) onChoose(JOB_PREFIX + first);
  }, [isLost, first, onChoose]);
  if (jobs.length === 0) return null;
  return (
    <Command.Group heading="Jobs" className={HEADED_GROUP}>
      {jobs.map((job) => (
        <Command.Item key={job.id} value={JOB_PREFIX + job.id} className={className} onSelect={() => onOpen(job.id)}>
          <span className="flex min-w-0 items-center gap-2">
            <JobStatusBadge status={job.status} isLive={job.live} />
            <bdi className="truncate">{job.title}</bdi>
            <span className="ml-auto shrink-0 font-mono text-xs text-muted">{shortenId(job.id)}</span>
          </span>
        </Command.Item>
      ))}
    </Command.Group>
  );
}

export const HEADED_GROUP =
  "**:[[cmdk-group-heading]]:px-2 **:[[cmdk-group-heading]]:text-xs **:[[cmdk-group-heading]]:text-muted";

/** Return a text once it has not changed for PAUSE_MS. */
function useDebounced(text: string): string {
  const [debounced, setDebounced] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setDebounced(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return debounced;
}
