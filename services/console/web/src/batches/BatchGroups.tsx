import { useQuery } from "@tanstack/react-query";
import { ProblemState } from "@/api/ProblemState";
import type { Operation } from "@/api/types";
import { GroupList } from "@/groups/GroupList";
import { Skeleton } from "@/ui/display/states";
import { groupsQuery } from "./queries";

/** What of a batch failed or was not accepted and stands so now, by what it needs, each with what does it for all. */
export function BatchGroups({ batch }: { batch: Operation }) {
  const query = useQuery(groupsQuery(batch));
  const groups = query.data ?? [];
  return (
    <>
      <ProblemState error={query.error} />
      {query.isPending && <Skeleton className="h-20" />}
      {query.data && groups.length === 0 && (
        <p className="text-muted">Each of these jobs has moved on since: none stands so now.</p>
      )}
      <GroupList groups={groups} label="By what they need" />
    </>
  );
}
