import { useAgentNames } from "@/api/agents";
import { ProblemState } from "@/api/ProblemState";
import type { InboxGroup } from "@/api/types";
import { describeGroup } from "@/groups/describe-group";
import { pluralize } from "@/lib/format";
import { Button } from "@/ui/controls/button";
import { ExactTime } from "@/ui/display/time";
import { useUpdateInbox } from "./queries";

/** Groups that are put off, folded. */
export function PutOff({ groups, tenant }: { groups: readonly InboxGroup[]; tenant: string | null }) {
  return (
    <details>
      <summary className="inline-flex min-h-6 cursor-pointer items-center text-muted">
        Not now: {pluralize(groups.length, "group")}
      </summary>
      <ul className="divide-y">
        {groups.map((group) => (
          <PutOffItem key={group.id} group={group} tenant={tenant} />
        ))}
      </ul>
    </details>
  );
}

type ItemProps = { group: InboxGroup; tenant: string | null };

/** Group that is put off, in a line, until when, and a button that takes that back. */
function PutOffItem({ group, tenant }: ItemProps) {
  const { nameOf } = useAgentNames();
  const update = useUpdateInbox(tenant);
  const words = describeGroup(group, nameOf);
  return (
    <li className="flex flex-wrap items-center gap-x-4 py-1">
      <span className="min-w-0 grow basis-64">
        <bdi className="line-clamp-2 wrap-anywhere">{words}</bdi>
        <span className="text-xs text-muted">
          until it grows, or <ExactTime at={group.snoozed_until ?? ""} />
        </span>
      </span>
      <Button size="small" unavailable={update.isPending} onClick={() => update.mutate({ shown: [group.id] })}>
        Show again
      </Button>
      <ProblemState error={update.error} />
    </li>
  );
}
