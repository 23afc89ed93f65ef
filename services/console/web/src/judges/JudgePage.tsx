import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { FlaskConical, Plus } from "lucide-react";
import { useState } from "react";
import { judgeQuery } from "@/api/judges";
import type { JudgePolicyVersion, NamedJudgePolicy } from "@/api/types";
import { DEFAULT_POLICY } from "@/judging/PolicyChoice";
import { useTitle } from "@/lib/use-title";
import { Button } from "@/ui/controls/button";
import { ExactTime } from "@/ui/display/time";
import { formatPolicy } from "./format-policy";
import { NamePage } from "./NamePage";
import { PolicyDialog } from "./PolicyDialog";
import { PromoteDialog, RetireDialog } from "./PromoteDialog";
import { Versions } from "./Versions";

const IS_REPORTED = "Validators report it: other settings of theirs make its next version.";

type Open = { what: "new" | "retire" } | { what: "promote"; version: number };

/** Page of a judge policy: its versions, what came of them, and which was current when. */
export function JudgePage({ name, version }: { name: string; version?: number }) {
  useTitle(`Judge policy ${name}`);
  const navigate = useNavigate();
  const query = useQuery(judgeQuery(name));
  const [open, setOpen] = useState<Open | null>(null);
  const named = query.data;
  const reported = name === DEFAULT_POLICY ? IS_REPORTED : null;
  const close = () => setOpen(null);
  const show = (shown: number) =>
    void navigate({ to: "/judges/$name", params: { name }, search: { version: shown }, replace: true });
  return (
    <NamePage
      what="judge policy"
      name={name}
      current={named?.current}
      isPending={query.isPending}
      error={named ? null : query.error}
      actions={
        <>
          <Button kind="primary" reason={reported} onClick={() => setOpen({ what: "new" })}>
            <Plus aria-hidden size={14} /> New version
          </Button>
          <Button
            reason={named?.current == null ? "It is retired." : null}
            onClick={() => void navigate({ to: "/playground", search: reported ? {} : { policy: name } })}
          >
            <FlaskConical aria-hidden size={14} /> Try it
          </Button>
          <Button
            reason={reported ?? (named?.current == null ? "It is retired already." : null)}
            onClick={() => setOpen({ what: "retire" })}
          >
            Retire
          </Button>
        </>
      }
    >
      {named && (
        <>
          <Versions
            versions={named.versions ?? []}
            current={named.current}
            wanted={version}
            onShow={show}
            textOf={textOf}
            actionsOf={(each) => (
              <Button
                size="small"
                aria-label={`Promote version ${each.version}`}
                reason={reported ?? (each.version === named.current ? "It is the current one." : null)}
                onClick={() => setOpen({ what: "promote", version: each.version })}
              >
                Promote
              </Button>
            )}
          />
          <Moves named={named} />
          {open?.what === "new" && <PolicyDialog named={named} onClose={close} onSaved={show} />}
          {open?.what === "promote" && <PromoteDialog name={name} version={open.version} onClose={close} />}
          {open?.what === "retire" && <RetireDialog name={name} onClose={close} />}
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
