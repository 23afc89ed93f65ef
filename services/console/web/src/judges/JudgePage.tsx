import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { judgeQuery } from "@/api/judges";
import { useRefusal } from "@/api/me";
import type { JudgePolicyVersion, NamedJudgePolicy } from "@/api/types";
import { DEFAULT_POLICY } from "@/judging/PolicyChoice";
import { Button } from "@/ui/controls/button";
import { ExactTime } from "@/ui/display/time";
import { describePolicy } from "./describe-policy";
import { formatPolicy } from "./format-policy";
import { HowGood } from "./HowGood";
import { NamePage } from "./NamePage";
import { PolicyDialog } from "./PolicyDialog";
import { PromoteDialog, RetireDialog } from "./PromoteDialog";

const IS_REPORTED = "Validators report it: other settings of theirs make its next version.";

/** Page of a judge policy: its versions, what came of them, and which was current when. */
export function JudgePage({ name, version }: { name: string; version?: number }) {
  const query = useQuery(judgeQuery(name));
  const [isRetiring, retire] = useState(false);
  const [promoted, promote] = useState<number | null>(null);
  const current = query.data?.current;
  const refuse = useRefusal();
  const reported = name === DEFAULT_POLICY ? IS_REPORTED : null;
  return (
    <NamePage
      what="judge policy"
      name={name}
      version={version}
      query={query}
      reasonNotToAdd={refuse("put_judge_policy") ?? reported}
      reasonNotToTry={current == null ? "It is retired." : null}
      trial={reported ? {} : { policy: name }}
      textOf={textOf}
      NewVersion={PolicyDialog}
      choices={[
        {
          words: "Retire…",
          onSelect: () => retire(true),
          reason: refuse("retire_judge_policy") ?? reported ?? (current == null ? "It is retired already." : null),
        },
      ]}
      sentencesOf={({ policy }) => describePolicy(policy)}
      actionsOf={(each) => (
        <Button
          size="small"
          aria-label={`Promote version ${each.version}`}
          reason={
            refuse("promote_judge_policy") ?? reported ?? (each.version === current ? "It is the current one." : null)
          }
          onClick={() => promote(each.version)}
        >
          Promote
        </Button>
      )}
    >
      {(named) => (
        <>
          <HowGood named={named} version={version} />
          <Moves named={named} />
          {promoted !== null && <PromoteDialog name={name} version={promoted} onClose={() => promote(null)} />}
          {isRetiring && <RetireDialog name={name} onClose={() => retire(false)} />}
        </>
      )}
    </NamePage>
  );
}

const textOf = ({ policy }: JudgePolicyVersion) => formatPolicy(policy ?? {});

/** Which version was current from when on, and why where something spoke against it. */
function Moves({ named: { moves = [] } }: { named: NamedJudgePolicy }) {
  if (moves.length === 0) return null;
  return (
    <section aria-label="What was current" className="space-y-2">
      <h2 className="text-lg font-semibold">What was current</h2>
      <ul className="divide-y border-y">
        {moves.map(({ version, reason, actor, created_at: at }) => (
          <li key={`${at} ${version}`} className="flex min-h-8 flex-wrap items-center gap-x-4 py-1">
            <span className="font-medium">{version == null ? "Retired" : `Version ${version}`}</span>
            <span className="text-muted wrap-anywhere">
              <ExactTime at={at} /> by <bdi>{actor}</bdi>
            </span>
            {reason && <bdi className="min-w-0 wrap-anywhere">{reason}</bdi>}
          </li>
        ))}
      </ul>
    </section>
  );
}
