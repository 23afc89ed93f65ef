import { type ReactNode, useState } from "react";
import type { CriteriaSetVersion, JudgePolicyVersion } from "@/api/types";
import { cn } from "@/lib/cn";
import { DiffView } from "@/results/views/DiffView";
import { Button } from "@/ui/controls/button";
import { Select } from "@/ui/controls/field";
import { ExactTime } from "@/ui/display/time";
import { Judged } from "./Judged";

type Version = JudgePolicyVersion | CriteriaSetVersion;

export type VersionsProps<V extends Version> = {
  /** Newest first. */
  versions: readonly V[];
  current: number | null | undefined;
  /** The one that was asked for; else the current one is shown. */
  wanted?: number;
  onShow: (version: number) => void;
  /** What a version says, as text. */
  textOf: (version: V) => string;
  /** What a version says, in sentences; what it says as text is then folded behind them. */
  sentencesOf?: (version: V) => readonly string[];
  /** What can be done with one. */
  actionsOf?: (version: V) => ReactNode;
};

/** Versions of a name: who made them and when, what came of them, and what one says or how it differs from another. */
export function Versions<V extends Version>(props: VersionsProps<V>) {
  const { versions, current, wanted, onShow, textOf, sentencesOf, actionsOf } = props;
  const [against, compareWith] = useState<number | null>(null);
  const shown =
    versions.find(({ version }) => version === (wanted ?? current)) ?? (wanted === undefined ? versions[0] : undefined);
  const others = versions.filter((each) => each !== shown);
  const other = others.find(({ version }) => version === against);
  return (
    <>
      <section aria-label="Versions" className="space-y-2">
        <h2 className="text-lg font-semibold">Versions</h2>
        <ul className="divide-y border-y">
          {versions.map((each) => (
            <li
              key={each.version}
              className={cn(
                "flex min-h-12 flex-wrap items-center gap-x-4 gap-y-1 px-2 py-1.5",
                each === shown && "bg-sunken",
              )}
            >
              <div className="min-w-0 grow basis-60">
                <p className="font-medium">
                  Version {each.version}
                  {each.version === current && (
                    <span className="ml-2 rounded bg-completed-tint px-1 text-xs/5 text-completed">current</span>
                  )}
                </p>
                <p className="text-xs text-muted wrap-anywhere">
                  <ExactTime at={each.created_at} /> by <bdi>{each.actor}</bdi>
                  {each.note && (
                    <>
                      : <bdi>{each.note}</bdi>
                    </>
                  )}
                </p>
              </div>
              <Judged counts={each.judged} />
              <div className="flex gap-1 max-sm:ml-auto">
                <Button
                  size="small"
                  aria-pressed={each === shown}
                  aria-label={`Show version ${each.version}`}
                  onClick={() => onShow(each.version)}
                >
                  Show
                </Button>
                {actionsOf?.(each)}
              </div>
            </li>
          ))}
        </ul>
      </section>
      {shown ? (
        <section aria-label={`Version ${shown.version}`} className="space-y-2">
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <h2 className="text-lg font-semibold">Version {shown.version}</h2>
            {others.length > 0 && (
              <div className="flex items-center gap-2 text-muted">
                <span aria-hidden className="whitespace-nowrap">
                  compared with
                </span>
                <Select
                  aria-label="Compared with"
                  className="w-auto"
                  value={other?.version ?? ""}
                  onChange={(event) => compareWith(Number(event.target.value) || null)}
                >
                  <option value="">none</option>
                  {others.map(({ version }) => (
                    <option key={version} value={version}>
                      version {version}
                    </option>
                  ))}
                </Select>
              </div>
            )}
          </div>
          {other ? (
            <DiffView
              before={textOf(other)}
              after={textOf(shown)}
              beforeName={`version ${other.version}`}
              afterName={`version ${shown.version}`}
            />
          ) : sentencesOf ? (
            <>
              <ul className="max-w-[72ch] list-disc space-y-1 pl-5">
                {sentencesOf(shown).map((sentence) => (
                  <li key={sentence} className="wrap-anywhere">
                    <bdi>{sentence}</bdi>
                  </li>
                ))}
              </ul>
              <details>
                <summary className="min-h-6 cursor-pointer text-muted pointer-coarse:min-h-11">As JSON</summary>
                <Source text={textOf(shown)} />
              </details>
            </>
          ) : (
            <Source text={textOf(shown)} />
          )}
        </section>
      ) : (
        <p className="text-muted">There is no version {wanted} among the newest ones.</p>
      )}
    </>
  );
}

/** What a version says, as text. */
function Source({ text }: { text: string }) {
  return (
    <pre
      tabIndex={0}
      className="max-h-[60dvh] overflow-auto rounded border bg-sunken p-3 font-mono text-xs whitespace-pre-wrap wrap-anywhere"
    >
      {text}
    </pre>
  );
}
