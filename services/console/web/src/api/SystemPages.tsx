import { useMe } from "@/api/me";
import { PageLinks } from "@/ui/display/PageLinks";

/** Pages of the system; one that may not be read is not named. */
const SYSTEM_PAGES = [
  { to: "/system", name: "Overview", isExact: true },
  { to: "/system/workers", name: "Workers", reads: "get_workers" },
  { to: "/system/limits", name: "Limits" },
  { to: "/system/kept", name: "Kept" },
  { to: "/system/dead-letters", name: "Dead letters", reads: "list_dead_letters" },
] as const;

/** Way from a page of the system to its others. */
export function SystemPages() {
  const me = useMe();
  const pages = SYSTEM_PAGES.filter((page) => !("reads" in page) || me?.may.includes(page.reads));
  return <PageLinks label="System" pages={pages} />;
}
