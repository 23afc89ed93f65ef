import { useQuery } from "@tanstack/react-query";
import { useRef } from "react";
import { agentsQuery } from "@/api/agents";
import { useMe } from "@/api/me";
import type { Job } from "@/api/types";
import { jobQuery } from "@/jobs/model/queries";
import { useStoredChoice } from "@/lib/stored-choice";

/** The agent of the demo, which `signoff up` registers, that leaves out what is asked for until it is told of it. */
export const AGENT = "drafter";

/** What a viewer has done of the first steps: which job was made, or that they are not to be shown. */
type Steps = { job?: string; isDone?: true };
const NONE: Steps = {};

export type FirstSteps = { job: Job | undefined; begin: (job: string) => void; end: () => void };

/**
 * Return the first steps of a viewer: null where there is nothing to show, undefined until that is known. They are
 * offered where there is no job, and stay until they are done or dismissed.
 */
export function useFirstSteps(
  newest: readonly Job[] | undefined,
  tenant: string | null,
): FirstSteps | null | undefined {
  const me = useMe();
  const [steps, keep] = useStoredChoice<Steps>(`first-steps.${me?.name ?? ""}`, NONE);
  const agents = useQuery(agentsQuery);
  const offeredIn = useRef<string | null>(undefined);
  const job = useQuery({
    ...jobQuery(steps.job ?? ""),
    enabled: steps.job !== undefined && !steps.isDone,
    retry: false,
  });
  if (steps.isDone) return null;
  if (newest === undefined || agents.isPending || (steps.job !== undefined && job.isPending)) return undefined;
  const isOffered = newest.length === 0 && agents.data?.some(({ id, enabled }) => id === AGENT && enabled);
  if (isOffered) offeredIn.current = tenant; // also once the job is there that is being made
  if (!job.data && !isOffered && offeredIn.current !== tenant) return null;
  return { job: job.data, begin: (id) => keep({ job: id }), end: () => keep({ isDone: true }) };
}
