import { useQuery } from "@tanstack/react-query";
import { CircleCheck } from "lucide-react";
import { lazy, Suspense } from "react";
import { ProblemState, ReadState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { Inbox, InboxGroup, InboxHappened } from "@/api/types";
import { GroupList } from "@/groups/GroupList";
import { useNow } from "@/lib/clock";
import { formatCount, formatDayTime, formatMoney, formatPercent } from "@/lib/format";
import { loadPart } from "@/lib/load-part";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { toIntlZone, useZone } from "@/ui/display/time";
import { useFirstSteps } from "./first-steps";
import { NewestJobs } from "./NewestJobs";
import { inboxQuery, newestQuery, useUpdateInbox } from "./queries";

/** Read where they are shown: on most visits there are none. */
const FirstSteps = lazy(async () => ({ default: (await loadPart(() => import("./FirstSteps"))).FirstSteps }));
const PutOff = lazy(async () => ({ default: (await loadPart(() => import("./PutOff"))).PutOff }));

/** First page: what needs somebody, the urgent first, what happened since the last visit, and the newest jobs. */
export function InboxPage() {
  const tenant = useTenant();
  const inbox = useQuery(inboxQuery(tenant));
  const newest = useQuery(newestQuery(tenant));
  const count = inbox.data?.count ?? 0;
  useTitle(count > 0 ? `(${formatCount(count)}) Inbox` : "Inbox");
  const jobs = newest.data?.pages.flatMap((page) => page.items) ?? [];
  const steps = useFirstSteps(newest.data && jobs, tenant);
  // Nothing is shown before what stands above it.
  const isRead = !inbox.isPending && !newest.isPending && (steps !== undefined || newest.isError);
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <div>
        <h1 className="text-xl font-semibold">Inbox</h1>
        <p className="min-h-5 text-muted">{inbox.data && <Happened happened={inbox.data.happened} />}</p>
      </div>
      {isRead ? (
        <>
          {steps && (
            <Suspense fallback={<Skeleton className="h-36" />}>
              <FirstSteps steps={steps} />
            </Suspense>
          )}
          <ReadState query={inbox} what="the inbox">
            {null}
          </ReadState>
          {inbox.data && <Groups inbox={inbox.data} tenant={tenant} isEmpty={jobs.length === 0} />}
          <NewestJobs query={newest} jobs={jobs} isGuided={Boolean(steps)} />
        </>
      ) : (
        <div role="status" aria-busy className="space-y-3">
          <span className="sr-only">Loading the inbox</span>
          <Skeleton className="h-20" />
          <Skeleton className="h-20" />
          <Skeleton className="h-96" />
        </div>
      )}
    </div>
  );
}

/** What happened since the last visit: "Since yesterday 17:40: 1,204 ended, 94 % accepted, 38 failed, $44.16". */
function Happened({ happened }: { happened: InboxHappened }) {
  const { since, ended, failed, acceptance_rate: rate, cost_usd: cost } = happened;
  const now = useNow(60_000);
  const zone = toIntlZone(useZone()[0]);
  const parts = [
    `${formatCount(ended)} ended`,
    rate != null && `${formatPercent(rate)} accepted`,
    failed > 0 && `${formatCount(failed)} failed`,
    Number(cost) > 0 && formatMoney(cost),
  ];
  const words = ended > 0 ? parts.filter(Boolean).join(", ") : "nothing ended";
  return `Since ${formatDayTime(Date.parse(since), now, zone)}: ${words}`;
}

type GroupsProps = { inbox: Inbox; tenant: string | null; isEmpty: boolean };

function Groups({ inbox, tenant, isEmpty }: GroupsProps) {
  const isPutOff = ({ snoozed_until: until }: InboxGroup) => until != null;
  const putOff = inbox.groups.filter(isPutOff);
  const shown = inbox.groups.filter((group) => !isPutOff(group));
  return (
    <section aria-label="What needs you" className="space-y-2">
      <GroupList groups={shown} renderMore={({ id }) => <NotNow id={id} tenant={tenant} />} />
      {shown.length === 0 && !isEmpty && (
        <p role="status" className="flex items-center gap-2 rounded border p-3 font-medium">
          <CircleCheck aria-hidden size={16} className="text-completed" />
          Nothing needs you
        </p>
      )}
      {putOff.length > 0 && (
        <Suspense fallback={<div className="h-6" />}>
          <PutOff groups={putOff} tenant={tenant} />
        </Suspense>
      )}
    </section>
  );
}

/** Button that puts a group off. */
function NotNow({ id, tenant }: { id: string; tenant: string | null }) {
  const update = useUpdateInbox(tenant);
  return (
    <>
      <Button
        kind="quiet"
        title="Put it off until there are more of it"
        unavailable={update.isPending}
        onClick={() => update.mutate({ snoozed: [id] })}
      >
        Not now
      </Button>
      <ProblemState error={update.error} />
    </>
  );
}
