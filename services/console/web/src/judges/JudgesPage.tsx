import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import type { ReactNode } from "react";
import { judgesQuery, setsQuery } from "@/api/judges";
import { useMe, useRefusal } from "@/api/me";
import { ProblemState } from "@/api/ProblemState";
import { useTenant } from "@/api/tenants";
import type { NamedCriteriaSet, NamedJudgePolicy } from "@/api/types";
import { QualityPages } from "@/judging/QualityPages";
import { useKeptState } from "@/lib/kept";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { EmptyState, Loading, Skeleton } from "@/ui/display/states";
import { Time } from "@/ui/display/time";
import { Judged } from "./Judged";
import { PolicyDialog } from "./PolicyDialog";
import { SetDialog } from "./SetDialog";
import { Validators } from "./Validators";

/** Page of what results are judged by: judge policies and criteria sets, by name; and the validators. */
export function JudgesPage() {
  useTitle("Judges");
  const tenant = useTenant();
  const judges = useQuery(judgesQuery(tenant));
  const sets = useQuery(setsQuery(tenant));
  const seesValidators = useMe()?.all_tenants !== false;
  const isPending = judges.isPending || sets.isPending;
  const refuse = useRefusal();
  const [making, make] = useKeptState<"policy" | "set" | null>("making", null);
  return (
    <div className="mx-auto max-w-7xl space-y-8 p-4">
      <QualityPages />
      <h1 className="text-xl font-semibold">Judges</h1>
      <ProblemState error={judges.error ?? sets.error} />
      {isPending && (
        <Loading what="the names">
          <Skeleton className="h-96" />
        </Loading>
      )}
      {/* All at once, so that no list moves those below it. */}
      {judges.data && sets.data && (
        <>
          <Names
            title="Judge policies"
            hint="By which stages and models results are judged. New executions are judged by the current version."
            what="a policy"
            list={judges.data.items}
            none="Results are judged by the validators' own settings."
            command="signoff judges set NAME --model MODEL"
            reason={refuse("put_judge_policy")}
            onNew={() => make("policy")}
            link={(name, children) => (
              <Link to="/quality/judges/$name" params={{ name }} search={{}} className="font-medium hover:underline">
                {children}
              </Link>
            )}
          />
          <Names
            title="Criteria sets"
            hint="Criteria that jobs and agents choose by name; results are judged by them and by a job's own."
            what="a set"
            list={sets.data}
            none="Jobs are judged by their own criteria alone."
            command="signoff criteria set NAME --criteria TEXT"
            reason={refuse("put_criteria_set")}
            onNew={() => make("set")}
            link={(name, children) => (
              <Link
                to="/quality/criteria-sets/$name"
                params={{ name }}
                search={{}}
                className="font-medium hover:underline"
              >
                {children}
              </Link>
            )}
          />
          {seesValidators && <Validators validators={judges.data.validators} />}
        </>
      )}
      {making === "policy" && <PolicyDialog onClose={() => make(null)} />}
      {making === "set" && <SetDialog onClose={() => make(null)} />}
    </div>
  );
}

type NamesProps = {
  title: string;
  hint: string;
  what: string;
  list: readonly (NamedJudgePolicy | NamedCriteriaSet)[];
  none: string;
  command: string;
  /** Why none can be made. */
  reason: string | null;
  onNew: () => void;
  link: (name: string, children: ReactNode) => ReactNode;
};

function Names({ title, hint, what, list, none, command, reason, onNew, link }: NamesProps) {
  return (
    <section aria-label={title} className="space-y-2">
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <h2 className="text-lg font-semibold">{title}</h2>
          <p className="text-muted">{hint}</p>
        </div>
        <Button reason={reason} onClick={onNew}>
          <Plus aria-hidden size={14} /> Make {what}
        </Button>
      </div>
      {list.length === 0 && (
        <EmptyState title="None yet" command={command}>
          <p>{none}</p>
        </EmptyState>
      )}
      {list.length > 0 && (
        <ul className="divide-y border-y">
          {list.map(({ name, current, newest, versions }) => (
            <li key={name} className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 py-1.5">
              <div className="min-w-0 grow basis-52">
                <p className="wrap-anywhere">{link(name, <bdi>{name}</bdi>)}</p>
                <p className="text-xs text-muted">
                  {current == null ? "retired" : `version ${current}`}
                  {newest !== current && `, newest ${newest}`}
                </p>
              </div>
              {versions?.[0] && (
                <>
                  <Judged counts={versions[0].judged} />
                  <span className="text-xs text-muted">
                    made <Time at={versions[0].created_at} />
                  </span>
                </>
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
