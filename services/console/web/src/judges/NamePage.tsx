import type { UseQueryResult } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronLeft, FlaskConical, Plus } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ProblemState } from "@/api/ProblemState";
import type { NamedCriteriaSet, NamedJudgePolicy } from "@/api/types";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import type { VersionDialogProps } from "./VersionDialog";
import { Versions, type VersionsProps } from "./Versions";

type Named = NamedJudgePolicy | NamedCriteriaSet;
type VersionOf<N extends Named> = NonNullable<N["versions"]>[number];

type NamePageProps<N extends Named> = Pick<VersionsProps<VersionOf<N>>, "textOf" | "actionsOf"> & {
  what: "judge policy" | "criteria set";
  name: string;
  /** The version that was asked for; else the current one is shown. */
  version?: number;
  query: UseQueryResult<N>;
  /** Why no version can be added, or none be tried. */
  reasonNotToAdd?: string | null;
  reasonNotToTry?: string | null;
  /** What the playground begins with. */
  trial: { policy?: string; set?: string };
  /** Form of a new version. */
  NewVersion: (props: VersionDialogProps<N>) => ReactNode;
  /** What else can be done, and what else there is to see. */
  actions?: ReactNode;
  children?: (named: N) => ReactNode;
};

/** Page of a judge policy or a criteria set: its versions, what came of each, and what can be done with them. */
export function NamePage<N extends Named>(props: NamePageProps<N>) {
  const { what, name, version, query, reasonNotToAdd, reasonNotToTry, trial, NewVersion, children } = props;
  const { data: named, isPending } = query;
  const error = named ? null : query.error;
  const title = what.replace(/^./, (letter) => letter.toUpperCase());
  useTitle(`${title} ${name}`);
  const navigate = useNavigate();
  const [isAdding, add] = useState(false);
  const show = (shown: number) =>
    void navigate({ to: ".", search: (before: object) => ({ ...before, version: shown }), replace: true });
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <nav aria-label={`Around this ${what}`} className="text-muted">
        <Link to="/quality/judges" className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> Judges
        </Link>
      </nav>
      <header className="flex flex-wrap items-end justify-between gap-3 border-b pb-4">
        <div className="min-w-0">
          <p className="text-muted">
            {title}
            {named && (named.current == null ? ", retired" : `, version ${named.current} is current`)}
          </p>
          <h1 className="text-xl font-semibold wrap-anywhere">
            <bdi>{name}</bdi>
          </h1>
        </div>
        {named && (
          <div className="flex flex-wrap gap-2">
            <Button kind="primary" reason={reasonNotToAdd} onClick={() => add(true)}>
              <Plus aria-hidden size={14} /> New version
            </Button>
            <Button reason={reasonNotToTry} onClick={() => void navigate({ to: "/quality/try", search: trial })}>
              <FlaskConical aria-hidden size={14} /> Try it
            </Button>
            {props.actions}
          </div>
        )}
      </header>
      <ProblemState error={error} />
      {isPending && (
        <Loading what={`the ${what}`}>
          <div className="space-y-6">
            <Skeleton className="h-40" />
            <Skeleton className="h-40" />
          </div>
        </Loading>
      )}
      {named && (
        <>
          <Versions
            versions={(named.versions ?? []) as VersionOf<N>[]}
            current={named.current}
            wanted={version}
            onShow={show}
            textOf={props.textOf}
            actionsOf={props.actionsOf}
          />
          {children?.(named)}
          {isAdding && <NewVersion named={named} onClose={() => add(false)} onSaved={show} />}
        </>
      )}
    </div>
  );
}
