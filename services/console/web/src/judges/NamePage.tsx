import type { UseQueryResult } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Plus } from "lucide-react";
import { type ReactNode, useState } from "react";
import { copiesOf } from "@/api/copies";
import { ProblemState } from "@/api/ProblemState";
import type { NamedCriteriaSet, NamedJudgePolicy } from "@/api/types";
import { QualityPages } from "@/judging/QualityPages";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { Loading, Skeleton } from "@/ui/display/states";
import { type Choice, type Fact, ThingHead } from "@/ui/display/ThingHead";
import type { VersionDialogProps } from "./VersionDialog";
import { Versions, type VersionsProps } from "./Versions";

type Named = NamedJudgePolicy | NamedCriteriaSet;
type VersionOf<N extends Named> = NonNullable<N["versions"]>[number];

type NamePageProps<N extends Named> = Pick<VersionsProps<VersionOf<N>>, "textOf" | "sentencesOf" | "actionsOf"> & {
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
  /** What else can be done, what else is known, and what else there is to see. */
  choices?: readonly Choice[];
  facts?: readonly Fact[];
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
      <QualityPages />
      {named && (
        <ThingHead
          badge={<span className="rounded bg-sunken px-2 text-muted">{title}</span>}
          copies={copiesOf(what, name)}
          title={name}
          facts={[
            ["Current", named.current == null ? "none: it is retired" : `version ${named.current}`],
            ["Newest", named.newest !== named.current && `version ${named.newest}`],
            ...(props.facts ?? []),
          ]}
          step={
            <Button kind="primary" reason={reasonNotToAdd} onClick={() => add(true)}>
              <Plus aria-hidden size={14} /> New version
            </Button>
          }
          choices={[
            {
              words: "Try it",
              onSelect: () => void navigate({ to: "/quality/try", search: trial }),
              reason: reasonNotToTry,
            },
            ...(props.choices ?? []),
          ]}
        />
      )}
      <ProblemState error={error} />
      {isPending && (
        <Loading what={`the ${what}`}>
          <div className="space-y-6">
            <Skeleton className="h-20" />
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
            sentencesOf={props.sentencesOf}
            actionsOf={props.actionsOf}
          />
          {children?.(named)}
          {isAdding && <NewVersion named={named} onClose={() => add(false)} onSaved={show} />}
        </>
      )}
    </div>
  );
}
