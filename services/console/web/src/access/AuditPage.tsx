import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Download, Search } from "lucide-react";
import { type FormEvent, useState } from "react";
import { buildAddress } from "@/api/client";
import { ReadState } from "@/api/ProblemState";
import type { AuditEntry } from "@/api/types";
import { cn } from "@/lib/cn";
import { formatCount } from "@/lib/format";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { Button, ButtonLink } from "@/ui/controls/button";
import { Field, Input, Select } from "@/ui/controls/field";
import { EmptyState, Skeleton } from "@/ui/display/states";
import { ExactTime, toIntlZone, useZone } from "@/ui/display/time";
import { AccessPage } from "./AccessPage";
import { type AuditSearch, parseAuditSearch, toAuditQuery } from "./audit-search";
import { auditQuery } from "./queries";

/** Page of the audit: what callers did and were refused, newest first. */
export function AuditPage({ search }: { search: AuditSearch }) {
  const list = useInfiniteQuery(auditQuery(search));
  const entries = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <AccessPage
      title="Audit"
      action={
        <ButtonLink href={buildAddress("/api/audit/export", { query: toAuditQuery(search) })} download>
          <Download aria-hidden size={14} /> Export as JSON lines
        </ButtonLink>
      }
    >
      <AuditForm key={JSON.stringify(search)} search={search} />
      <ReadState query={list} what="the audit">
        <Skeleton className="h-40" />
      </ReadState>
      {list.data && entries.length === 0 && (
        <EmptyState title="No entry matches">
          <p>Changes, sign-ins and what was refused stand here; reading jobs does not.</p>
        </EmptyState>
      )}
      {entries.length > 0 && (
        <ul aria-label="Entries" className="divide-y border-y">
          {entries.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ul>
      )}
      {list.hasNextPage && (
        <Button unavailable={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Older entries
        </Button>
      )}
    </AccessPage>
  );
}

const NAMES = ["actor", "action", "tenant", "outcome", "since", "until"] as const;

/** Form of what is searched for; it takes effect as a whole, and becomes the address. */
function AuditForm({ search }: { search: AuditSearch }) {
  const navigate = useNavigate();
  const zone = toIntlZone(useZone()[0]);
  const atFirst = {
    ...{ actor: "", action: "", tenant: "", outcome: "", ...search },
    since: search.since ? toWallTime(search.since, zone) : "",
    until: search.until ? toWallTime(search.until, zone) : "",
  };
  const [values, setValues] = useState(atFirst);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const { since, until } = values;
    const next = { ...values, since: fromWallTime(since, zone), until: fromWallTime(until, zone) };
    void navigate({ to: "/audit", search: parseAuditSearch(next) });
  };
  const field = (name: (typeof NAMES)[number]) => ({
    value: values[name] ?? "",
    onChange: ({ target }: { target: { value: string } }) => setValues({ ...values, [name]: target.value }),
  });
  return (
    <form
      role="search"
      onSubmit={submit}
      className="grid items-end gap-3 sm:grid-cols-2 lg:grid-cols-[1fr_1fr_1fr_8rem_1fr_1fr_auto]"
    >
      <Field label="Actor">
        {(control) => <Input {...control} placeholder="token:eve" dir="auto" {...field("actor")} />}
      </Field>
      <Field label="Action">
        {(control) => <Input {...control} placeholder="create_token" {...field("action")} />}
      </Field>
      <Field label="Tenant">
        {(control) => <Input {...control} placeholder="press" dir="auto" {...field("tenant")} />}
      </Field>
      <Field label="Outcome">
        {(control) => (
          <Select {...control} {...field("outcome")}>
            <option value="">any</option>
            <option value="done">done</option>
            <option value="refused">refused</option>
          </Select>
        )}
      </Field>
      <Field label={`From (${zone ?? "local time"})`}>
        {(control) => <Input {...control} type="datetime-local" {...field("since")} />}
      </Field>
      <Field label={`Before (${zone ?? "local time"})`}>
        {(control) => <Input {...control} type="datetime-local" {...field("until")} />}
      </Field>
      <Button type="submit" kind="primary">
        <Search aria-hidden size={14} /> Search
      </Button>
    </form>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const { at, actor, action, outcome, code, reason, name, tenants, all_tenants, count, address } = entry;
  const about = [
    name,
    all_tenants ? "all tenants" : tenants.join(", "),
    count > 1 && `${formatCount(count)} ${outcome === "refused" ? "times" : "of them"}`,
    address && `from ${address}`,
  ];
  return (
    <li className="flex min-h-8 flex-wrap items-baseline gap-x-4 gap-y-1 py-1.5 lg:grid lg:grid-cols-[12rem_14rem_13rem_15rem_1fr]">
      <span className="text-muted">
        <ExactTime at={at} />
      </span>
      <bdi className="font-mono text-xs font-medium wrap-anywhere">{actor}</bdi>
      <code className="font-mono text-xs wrap-anywhere">{action}</code>
      <span className={cn("wrap-anywhere", outcome === "refused" && "text-failed")}>
        {outcome}
        {code && (
          <>
            {" "}
            (<code>{code}</code>
            {reason && `, ${reason}`})
          </>
        )}
      </span>
      <bdi className="min-w-0 text-xs text-muted wrap-anywhere">{about.filter(Boolean).join(" · ")}</bdi>
    </li>
  );
}
