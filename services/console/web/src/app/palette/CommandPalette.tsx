import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { Dialog as Radix } from "radix-ui";
import { useRef, useState } from "react";
import { agentsQuery } from "@/api/agents";
import { signOut } from "@/api/session";
import type { JobStatus } from "@/api/types";
import { TEXT_MAX } from "@/jobs/list/filters/jobs-search";
import { JOB_STATUSES, STATUS_LOOKS } from "@/jobs/model/status";
import { useOfferedCommands } from "@/lib/palette-commands";
import type { Theme } from "@/lib/use-theme";
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

const DESTINATIONS: [string, (navigate: Navigate) => Promise<void>][] = [
  ["New job", (navigate) => navigate({ to: "/new", search: {} })],
  ["Batches", (navigate) => navigate({ to: "/batches" })],
  ["Agents", (navigate) => navigate({ to: "/agents", search: {} })],
  ["Register an agent", (navigate) => navigate({ to: "/agents", search: { register: true } })],
  ["Limits", (navigate) => navigate({ to: "/limits" })],
  ["Overview", (navigate) => navigate({ to: "/overview", search: {} })],
  ["Overview: the last 24 hours", (navigate) => navigate({ to: "/overview", search: { range: "24h" } })],
  ["Dead letters", (navigate) => navigate({ to: "/dead-letters" })],
];

/** Command palette: every destination, command and job, found by name. */
export function CommandPalette({ open, onOpenChange, onTheme, onHelp }: CommandPaletteProps) {
  const navigate = useNavigate();
  const offered = useOfferedCommands();
  const agents = useQuery(agentsQuery).data ?? [];
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
  const filter = (status: JobStatus) => void navigate({ to: "/", search: { status: [status] } });
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
                <Command.Empty className="p-4 text-muted">No command is called so.</Command.Empty>
              )}
              <Command.Group heading="Commands" className={HEADED_GROUP}>
                {offered.map(({ name, run: act }) => (
                  <Command.Item key={name} className={ITEM} onSelect={run(act)}>
                    {name}
                  </Command.Item>
                ))}
                <Command.Item className={ITEM} onSelect={run(() => void navigate({ to: "/", search: {} }))}>
                  Jobs
                </Command.Item>
                {DESTINATIONS.map(([name, go]) => (
                  <Command.Item key={name} className={ITEM} onSelect={run(() => void go(navigate))}>
                    {name}
                  </Command.Item>
                ))}
                {JOB_STATUSES.map((status) => (
                  <Command.Item key={status} className={ITEM} onSelect={run(() => filter(status))}>
                    Jobs: {STATUS_LOOKS[status].word.toLowerCase()}
                  </Command.Item>
                ))}
                {agents.map(({ id, name }) => (
                  <Command.Item
                    key={id}
                    value={`agent ${name} ${id}`}
                    className={ITEM}
                    onSelect={run(() => void navigate({ to: "/", search: { agent: id } }))}
                  >
                    Jobs of agent {name}
                  </Command.Item>
                ))}
                {(["light", "dark", "system"] as const).map((theme) => (
                  <Command.Item key={theme} className={ITEM} onSelect={runOnPage(() => onTheme(theme))}>
                    Theme: {theme}
                  </Command.Item>
                ))}
                <Command.Item className={ITEM} onSelect={run(() => void signOut().finally(() => location.reload()))}>
                  Sign out
                </Command.Item>
                <Command.Item className={ITEM} onSelect={run(onHelp)}>
                  Keyboard help
                </Command.Item>
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
