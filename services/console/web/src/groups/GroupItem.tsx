import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useAgentNames } from "@/api/agents";
import type { InboxGroup, InboxOperation } from "@/api/types";
import { fromFilter } from "@/jobs/list/search/from-filter";
import { cn } from "@/lib/cn";
import { findRemedy } from "@/limits/remedies";
import { buttonLook } from "@/ui/controls/button";
import { Time } from "@/ui/display/time";
import { describeGroup, findAgent, lookOfGroup, withoutCommand } from "./describe-group";
import { GroupAction } from "./GroupAction";

const LINK = "text-accent underline";

type GroupProps = { group: InboxGroup; onAsk: (operation: InboxOperation) => void; children?: ReactNode };

/** Group of what needs the same: how many, since when, the newest, what to do, and what does it for all. */
export function GroupItem({ group, onAsk, children }: GroupProps) {
  const { nameOf, nameAllIn } = useAgentNames();
  const { icon: Icon, ink } = lookOfGroup(group);
  const { since, newest_at: newestAt, newest_job_id: newest, newest_title: title, message, filter, remedy } = group;
  const words = describeGroup(group, nameOf);
  const agent = findAgent(group);
  return (
    <li aria-label={words} className="flex flex-wrap items-start gap-x-4 gap-y-2 p-3">
      <div className="min-w-0 grow basis-96 space-y-0.5">
        <p className="flex gap-2 font-medium">
          <Icon aria-hidden size={16} className={cn("mt-0.5 shrink-0", ink)} />
          <bdi className="line-clamp-3 wrap-anywhere">{words}</bdi>
        </p>
        <div className="space-y-0.5 pl-6 text-muted">
          {(newest || since || agent) && (
            <p className="line-clamp-3 wrap-anywhere">
              {agent && (
                <>
                  <Link to="/agents/$id" params={{ id: agent }} className={LINK}>
                    <bdi>{nameOf(agent)}</bdi>
                  </Link>
                  {(since || newest) && " · "}
                </>
              )}
              {since && <Time at={since} before="since " />}
              {newest && (
                <>
                  {since && " · "}
                  {title && "newest: "}
                  <Link to="/jobs/$id" params={{ id: newest }} className={LINK}>
                    <bdi>{title ?? "newest"}</bdi>
                  </Link>
                  {newestAt && <Time at={newestAt} before=" " />}
                </>
              )}
              {message && (
                <>
                  {": "}
                  <bdi className="text-text">{nameAllIn(message)}</bdi>
                </>
              )}
            </p>
          )}
          {!findRemedy(group) && (
            <p className="wrap-anywhere first-letter:uppercase">{nameAllIn(withoutCommand(remedy))}</p>
          )}
        </div>
      </div>
      <div role="group" aria-label="Actions" className="flex flex-wrap items-center gap-1 max-sm:pl-6">
        <GroupAction group={group} onAsk={onAsk} />
        {filter && (
          <Link
            to="/jobs"
            search={fromFilter(filter)}
            aria-label={`Open as list: ${words}`}
            className={buttonLook({ kind: "quiet" })}
          >
            Open as list
          </Link>
        )}
        {children}
      </div>
    </li>
  );
}
