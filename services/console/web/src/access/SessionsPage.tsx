import { useQuery } from "@tanstack/react-query";
import { describeTenants, useMe, useRefusal } from "@/api/me";
import { ProblemState, ReadState } from "@/api/ProblemState";
import type { Session } from "@/api/types";
import { useKeptState } from "@/lib/kept";
import { Button } from "@/ui/controls/button";
import { Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { AlertDialog } from "@/ui/overlays/alert-dialog";
import { AccessPage } from "./AccessPage";
import { useEndSession } from "./mutations";
import { sessionsQuery } from "./queries";

/** Page of the open sessions: one's own and, for administrators, those of their tenants. */
export function SessionsPage() {
  const sessions = useQuery(sessionsQuery);
  const own = useMe()?.session_id;
  const refuse = useRefusal();
  const [ending, end] = useKeptState<Session | null>("ending", null);
  const change = useEndSession();
  return (
    <AccessPage title="Sessions">
      <ReadState query={sessions} what="sessions">
        <Skeleton className="h-24" />
      </ReadState>
      {sessions.data && (
        <ul aria-label="Sessions" className="divide-y border-y">
          {sessions.data.map((session) => (
            <li key={session.id} className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
              <div className="min-w-0 grow basis-60">
                <p className="font-medium wrap-anywhere">
                  <bdi>{session.name}</bdi>
                  {session.id === own && <span className="font-normal text-muted">, this one</span>}
                </p>
                <p className="text-xs text-muted wrap-anywhere">
                  <bdi className="font-mono">{session.actor}</bdi> · {session.role} of {describeTenants(session)} ·
                  begun at {session.client}
                </p>
              </div>
              <SessionTimes session={session} />
              <Button
                size="small"
                className="max-sm:ml-auto"
                aria-label={`End the session of ${session.name} at ${session.client}`}
                reason={refuse("end_session")}
                onClick={() => {
                  change.reset();
                  end(session);
                }}
              >
                End
              </Button>
            </li>
          ))}
        </ul>
      )}
      {ending && (
        <AlertDialog
          open
          onOpenChange={(open) => !open && end(null)}
          title="End this session?"
          verb="End"
          kind="danger"
          isPending={change.isPending}
          onConfirm={() => change.mutate(ending, { onSuccess: () => end(null) })}
          fields={<ProblemState error={change.error} />}
        >
          <p>
            {ending.id === own
              ? "It is the session of this page: you sign in again after it."
              : "Whoever uses it signs in again; what is open ends within a second."}
          </p>
        </AlertDialog>
      )}
    </AccessPage>
  );
}

function SessionTimes({ session: { created_at, last_used_at, ends_at } }: { session: Session }) {
  return (
    <span className="text-xs text-muted">
      begun <Time at={created_at} />
      {last_used_at && (
        <>
          , used <Time at={last_used_at} />
        </>
      )}
      {ends_at && (
        <>
          , ends <Time at={ends_at} />
        </>
      )}
    </span>
  );
}
