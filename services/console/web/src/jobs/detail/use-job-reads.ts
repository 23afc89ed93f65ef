import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { agentsQuery } from "@/api/agents";
import { holdsQuery } from "@/api/holds";
import { logsQuery, milestonesQuery } from "@/jobs/model/logs";
import { jobQuery, waitingQuery } from "@/jobs/model/queries";
import { groupBySubmission, withMilestones } from "@/jobs/model/submissions";

const NO_LOGS: never[] = [];

/** Read all that the page of a job begins with: it is shown at once, so that nothing moves as the rest arrives. */
export function useJobReads(id: string) {
  const job = useQuery(jobQuery(id));
  const logs = useQuery(logsQuery(id));
  const agents = useQuery(agentsQuery);
  const holds = useQuery(holdsQuery(null));
  const isLive = job.data?.live ?? job.data?.status === "IN_PROGRESS";
  const waiting = useQuery({ ...waitingQuery(job.data ?? { id, version: 0 }), enabled: isLive });
  const [isWhole, setWhole] = useState(false);
  if (!isWhole && ![job, logs, agents, holds].some((read) => read.isPending) && !waiting.isLoading) setWhole(true);
  const newest = logs.data?.items ?? NO_LOGS;
  const milestones = useQuery({ ...milestonesQuery(id), enabled: (newest[0]?.version ?? 1) > 1 }).data?.items;
  const known = useMemo(() => withMilestones(milestones ?? NO_LOGS, newest), [milestones, newest]);
  const submissions = useMemo(() => groupBySubmission(known), [known]);
  return { job, logs, waiting, isPending: !isWhole, newest, known, submissions };
}
