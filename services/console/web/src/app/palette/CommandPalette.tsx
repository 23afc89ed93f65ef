import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Dialog as Radix } from "radix-ui";
import { useRef, useState } from "react";
import { ACCESS_PAGES } from "@/access/AccessPage";
import { agentsQuery, isUsable } from "@/api/agents";
import { useMe } from "@/api/me";
import { signOut } from "@/api/session";
import { useTenant } from "@/api/tenants";
import type { JobStatus } from "@/api/types";
import { TEXT_MAX } from "@/jobs/list/search/jobs-search";
import { JOB_STATUSES, STATUS_LOOKS } from "@/jobs/model/status";
import { useOfferedCommands } from "@/lib/palette-commands";
import type { Theme } from "@/lib/use-theme";
import { Kbd } from "@/ui/display/kbd";
import { useFocusReturn } from "@/ui/overlays/use-focus-return";
import { HEADED_GROUP, JobItems, rankCommand, SEARCH_MIN_CHARS, useJobSearch } from "./JobItems";

type CommandPaletteProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onTheme: (theme: Theme) => void;
  onHelp: () => void;
};

const ITEM = "flex h-9 cursor-pointer items-center rounded px-2 aria-selected:bg-sunken";

type Navigate = ReturnType<typeof useNavigate>;

/** Keys that do the same as a command. */
const KEYS: Record<string, string> = {
  "Execute this job": "e",
  "New job": "c",
  Inbox: "g i",
  Jobs: "g l",
  Batches: "g b",
  Agents: "g a",
  Quality: "g q",
  System: "g s",
  "Keyboard help": "?",
};

type ItemProps = { name: string; value?: string; onSelect: () => void };

/** Command with the keys that do the same. */
function Item({ name, value = name, onSelect }: ItemProps) {
  const keys = KEYS[name];
  return (
    <Command.Item value={value} className={ITEM} onSelect={onSelect}>
      <bdi className="min-w-0 truncate">{name}</bdi>
      {keys && (
        <span className="ml-auto">
          <Kbd>{keys}</Kbd>
        </span>
      )}
    </Command.Item>
  );
}

/** Pages by their names, some with the operation that they need. */
const DESTINATIONS: [name: string, go: (navigate: Navigate) => Promise<void>, reads?: string][] = [
  ["Inbox", (navigate) => navigate({ to: "/" })],
  ["Jobs", (navigate) => navigate({ to: "/jobs", search: {} })],
  ["New job", (navigate) => navigate({ to: "/new", search: {} })],
  ["Batches", (navigate) => navigate({ to: "/batches" })],
  ["Agents", (navigate) => navigate({ to: "/agents", search: {} })],
  ["Register an agent", (navigate) => navigate({ to: "/agents", search: { register: true } })],
  ["Limits", (navigate) => navigate({ to: "/system/limits" })],
  ["Quality", (navigate) => navigate({ to: "/quality" })],
  ["Judges", (navigate) => navigate({ to: "/quality/judges" })],
  ["Try a judge", (navigate) => navigate({ to: "/quality/try", search: {} })],
  ["Evaluations of judges", (navigate) => navigate({ to: "/quality/evaluations" })],
  ["System", (navigate) => navigate({ to: "/system", search: {} })],
  ["System: the last 24 hours", (navigate) => navigate({ to: "/system", search: { range: "24h" } })],
  ["Kept", (navigate) => navigate({ to: "/system/kept" })],
  ["Dead letters", (navigate) => navigate({ to: "/system/dead-letters" }), "list_dead_letters"],
];

/** Command palette: every destination, command and job, found by name. */
export function CommandPalette({ open, onOpenChange, onTheme, onHelp }: CommandPaletteProps) {
  const navigate = useNavigate();
  const offered = useOfferedCommands();
  const me = useMe();
  const destinations = DESTINATIONS.filter(([, , reads]) => reads === undefined || me?.may.includes(reads));
  const accessPages = ACCESS_PAGES.filter(({ reads }) => me?.may.includes(reads));
  const tenant = useTenant();
  const agents = useQuery(agentsQuery).data?.filter((agent) => isUsable(agent, tenant)) ?? [];
  const [text, setText] = useState("");
  const [chosen, choose] = useState("");
  const found = useJobSearch(text);
  const hasRun = useRef(false);
  const focusReturn = useFocusReturn();
  /** Run a command that stays on the page: the focus returns to where it was. */
  const runOnPage = (act: () => void) => () => {
    onOpenChange(false);
    act();
  };
  const run = (act: () => void) => () => {
    hasRun.current = true;
    runOnPage(act)();
  };
  const filter = (status: JobStatus) => void navigate({ to: "/jobs", search: { status: [status] } });
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-overlay" />
        <Radix.Content
          aria-describedby={undefined}
          // A command that ran has moved the focus itself; else it returns to where it was.
          onOpenAutoFocus={focusReturn.onOpenAutoFocus}
          onCloseAutoFocus={(event) => (hasRun.current ? event.preventDefault() : focusReturn.onCloseAutoFocus(event))}
          className="fixed top-[10vh] left-1/2 z-50 w-[min(560px,calc(100vw-32px))] -translate-x-1/2 rounded border bg-surface shadow-xl"
        >
          <Radix.Title className="sr-only">Command palette</Radix.Title>
          <Command label="Commands" filter={rankCommand} value={chosen} onValueChange={choose}>
            <Command.Input
              placeholder="Go to, filter, switch; or a job by its title or id"
              value={text}
              onValueChange={setText}
              maxLength={TEXT_MAX}
              className="h-11 w-full border-b bg-surface px-4 outline-none"
            />
            <Command.List className="max-h-80 overflow-auto p-2">
              {text.trim().length < SEARCH_MIN_CHARS && (
                <Command.Empty className="p-4 text-muted">There is no such command.</Command.Empty>
              )}
              <Command.Group heading="Commands" className={HEADED_GROUP}>
                {offered.map(({ name, run: act }) => (
                  <Item key={name} name={name} onSelect={run(act)} />
                ))}
                {destinations.map(([name, go]) => (
                  <Item key={name} name={name} onSelect={run(() => void go(navigate))} />
                ))}
                {accessPages.map(({ to, name }) => (
                  <Item key={to} name={name} onSelect={run(() => void navigate({ to, search: {} }))} />
                ))}
                {JOB_STATUSES.map((status) => (
                  <Item
                    key={status}
                    name={`Jobs: ${STATUS_LOOKS[status].word.toLowerCase()}`}
                    onSelect={run(() => filter(status))}
                  />
                ))}
                {agents.map(({ id, name }) => (
                  <Item
                    key={id}
                    name={`Jobs of agent ${name}`}
                    value={`agent ${name} ${id}`}
                    onSelect={run(() => void navigate({ to: "/jobs", search: { agent: id } }))}
                  />
                ))}
                {(["light", "dark", "system"] as const).map((theme) => (
                  <Item key={theme} name={`Theme: ${theme}`} onSelect={runOnPage(() => onTheme(theme))} />
                ))}
                <Item name="Sign out" onSelect={run(() => void signOut().finally(() => location.reload()))} />
                <Item name="Keyboard help" onSelect={run(onHelp)} />
              </Command.Group>
              <JobItems
                jobs={found.jobs}
                chosen={chosen}
                onChoose={choose}
                className={ITEM}
                onOpen={(id) => run(() => void navigate({ to: "/jobs/$id", params: { id } }))()}
              />
            </Command.List>
            <p role="status" className="min-h-6 px-4 pb-2 text-xs text-muted">
              {found.message}
            </p>
          </Command>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
