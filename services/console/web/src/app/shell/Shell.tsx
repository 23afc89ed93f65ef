import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { Activity, Bot, Gavel, Inbox, Layers, ListChecks, Search } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { tinykeys } from "tinykeys";
import { loadPart } from "@/lib/load-part";
import { useShortcuts } from "@/lib/shortcuts";
import { useTheme } from "@/lib/use-theme";
import { Button } from "@/ui/controls/button";
import { Announcer, announce } from "@/ui/feedback/announcer";
import { shownToasts } from "@/ui/feedback/toast";
import { Account } from "./Account";
import { LivePill } from "./LivePill";
import { Settings } from "./Settings";
import { TenantSwitch } from "./TenantSwitch";

const CommandPalette = lazy(async () => {
  const { CommandPalette } = await loadPart(() => import("@/app/palette/CommandPalette"));
  return { default: CommandPalette };
});
const Toasts = lazy(async () => {
  const { Toasts } = await loadPart(() => import("@/ui/overlays/toasts"));
  return { default: Toasts };
});
const KeyboardHelp = lazy(async () => {
  const { KeyboardHelp } = await loadPart(() => import("./KeyboardHelp"));
  return { default: KeyboardHelp };
});

/** The six places of the page, each for one question; `others` are addresses of a place that do not begin as its own. */
const PLACES = [
  { to: "/", name: "Inbox", Icon: Inbox },
  { to: "/jobs", name: "Jobs", Icon: ListChecks, others: /^\/new$/ },
  { to: "/batches", name: "Batches", Icon: Layers },
  { to: "/agents", name: "Agents", Icon: Bot },
  { to: "/quality", name: "Quality", Icon: Gavel },
  { to: "/system", name: "System", Icon: Activity },
] as const;

/** Frame around every page: navigation, live state, settings, palette, toasts. */
export function Shell() {
  const [, setTheme] = useTheme();
  const [isPalette, showPalette] = useState(false);
  const [isHelp, showHelp] = useState(false);
  const hasToasts = useSyncExternalStore(shownToasts.subscribe, shownToasts.get).length > 0;
  useFocusOnArrival();
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const navigate = useNavigate();
  const go = (to: (typeof PLACES)[number]["to"] | "/new") => () => void navigate({ to, search: {} });
  useShortcuts({
    "?": () => showHelp(true),
    "Shift+?": () => showHelp(true),
    c: go("/new"),
    "g i": go("/"),
    "g l": go("/jobs"),
    "g b": go("/batches"),
    "g a": go("/agents"),
    "g q": go("/quality"),
    "g s": go("/system"),
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
    <div className="flex h-dvh flex-col max-sm:pb-[calc(3.5rem+env(safe-area-inset-bottom))]">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-surface focus:p-2">
        Skip to the content
      </a>
      <header className="flex min-h-12 shrink-0 flex-wrap items-center gap-x-2 border-b px-4">
        <Link to="/" className="mr-2 flex items-center gap-2 text-base font-semibold">
          <img src="/icon.svg" alt="" width={20} height={20} /> Signoff
        </Link>
        {/* On a phone it is a bar at the bottom, which thumbs reach, and whose room the frame leaves free. */}
        <nav
          aria-label="Main"
          className="flex gap-1 max-sm:fixed max-sm:inset-x-0 max-sm:bottom-0 max-sm:z-20 max-sm:justify-around max-sm:gap-0 max-sm:border-t max-sm:bg-surface max-sm:pb-[env(safe-area-inset-bottom)]"
        >
          {PLACES.map(({ to, name, Icon, ...place }) => (
            <Link
              key={to}
              aria-current={"others" in place && place.others.test(pathname) ? "page" : undefined}
              to={to}
              search={{}}
              activeOptions={{ includeSearch: false, exact: to === "/" }}
              className="inline-flex h-8 shrink-0 items-center rounded px-2 text-muted hover:text-text aria-[current=page]:bg-sunken aria-[current=page]:text-text max-sm:h-14 max-sm:grow max-sm:basis-0 max-sm:flex-col max-sm:justify-center max-sm:gap-0.5 max-sm:px-0 max-sm:text-xs sm:pointer-coarse:h-11"
            >
              <Icon aria-hidden size={18} className="sm:hidden" />
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
        {hasToasts && <Toasts />}
        {isHelp && <KeyboardHelp open onOpenChange={showHelp} />}
      </Suspense>
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
