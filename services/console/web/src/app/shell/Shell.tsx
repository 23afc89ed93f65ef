import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { tinykeys } from "tinykeys";
import { loadPart } from "@/lib/load-part";
import { useShortcuts } from "@/lib/shortcuts";
import { useTheme } from "@/lib/use-theme";
import { Button } from "@/ui/controls/button";
import { Announcer, announce } from "@/ui/feedback/announcer";
import { Toasts } from "@/ui/overlays/toasts";
import { Account } from "./Account";
import { LivePill } from "./LivePill";
import { Settings } from "./Settings";
import { TenantSwitch } from "./TenantSwitch";

const CommandPalette = lazy(async () => {
  const { CommandPalette } = await loadPart(() => import("@/app/palette/CommandPalette"));
  return { default: CommandPalette };
});
const KeyboardHelp = lazy(async () => {
  const { KeyboardHelp } = await loadPart(() => import("./KeyboardHelp"));
  return { default: KeyboardHelp };
});

/** Sections of the page; `others` are addresses of a section that do not begin as its own. */
const SECTIONS = [
  { to: "/", name: "Jobs", others: /^\/(jobs\/|new$)/ },
  { to: "/batches", name: "Batches" },
  { to: "/agents", name: "Agents" },
  { to: "/judges", name: "Judges", others: /^\/(criteria-sets\/|playground$|evaluations$)/ },
  { to: "/overview", name: "Overview" },
] as const;

/** Frame around every page: navigation, live state, settings, palette, toasts. */
export function Shell() {
  const [, setTheme] = useTheme();
  const [isPalette, showPalette] = useState(false);
  const [isHelp, showHelp] = useState(false);
  useFocusOnArrival();
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const navigate = useNavigate();
  const go = (to: (typeof SECTIONS)[number]["to"] | "/new") => () => void navigate({ to, search: {} });
  useShortcuts({
    "?": () => showHelp(true),
    "Shift+?": () => showHelp(true),
    c: go("/new"),
    "g l": go("/"),
    "g b": go("/batches"),
    "g a": go("/agents"),
    "g j": go("/judges"),
    "g o": go("/overview"),
  });
  useEffect(
    () =>
      tinykeys(
        window,
        {
          "$mod+k": (event) => {
            event.preventDefault();
            showPalette(true);
          },
        },
        { ignore: ({ repeat }) => repeat }, // also while somebody types
      ),
    [],
  );
  return (
    <div className="flex h-dvh flex-col">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-surface focus:p-2">
        Skip to the content
      </a>
      <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-2 border-b px-4">
        <Link to="/" search={{}} className="mr-2 flex items-center gap-2 text-base font-semibold">
          <img src="/icon.svg" alt="" width={20} height={20} /> Signoff
        </Link>
        <nav aria-label="Main" className="flex gap-1 max-sm:order-last max-sm:-mx-2 max-sm:w-full max-sm:pb-1">
          {SECTIONS.map(({ to, name, ...section }) => (
            <Link
              key={to}
              aria-current={"others" in section && section.others.test(pathname) ? "page" : undefined}
              to={to}
              search={{}}
              activeOptions={{ includeSearch: false, exact: to === "/" }}
              className="inline-flex h-8 shrink-0 items-center rounded px-2 text-muted hover:text-text aria-[current=page]:bg-sunken aria-[current=page]:text-text pointer-coarse:h-11"
            >
              {name}
            </Link>
          ))}
        </nav>
        <div className="ml-auto flex items-center gap-1">
          <TenantSwitch className="max-sm:hidden" />
          <LivePill />
          <Button
            kind="quiet"
            size="icon"
            aria-label="Command palette"
            title="Command palette (Ctrl K)"
            onClick={() => showPalette(true)}
          >
            <Search aria-hidden size={16} />
          </Button>
          <Settings onHelp={() => showHelp(true)} />
          <Account />
        </div>
      </header>
      <main id="main" tabIndex={-1} className="relative min-h-0 grow overflow-auto outline-none">
        <Outlet />
      </main>
      <Suspense>
        {isPalette && (
          <CommandPalette open onOpenChange={showPalette} onTheme={setTheme} onHelp={() => showHelp(true)} />
        )}
        {isHelp && <KeyboardHelp open onOpenChange={showHelp} />}
      </Suspense>
      <Toasts />
      <Announcer />
    </div>
  );
}

/** Move the focus to a page that was navigated to, unless the page focused something itself, and announce its title. */
function useFocusOnArrival(): void {
  const pathname = useRouterState({ select: ({ resolvedLocation }) => resolvedLocation?.pathname });
  const before = useRef(pathname);
  useEffect(() => {
    const isFirst = before.current === undefined;
    if (before.current === pathname) return;
    before.current = pathname;
    if (isFirst) return;
    const main = document.getElementById("main");
    if (!main?.contains(document.activeElement)) main?.focus({ preventScroll: true });
    announce(() => document.title);
  }, [pathname]);
}
