import { useNavigate } from "@tanstack/react-router";
import { chooseTenant } from "@/api/tenants";
import type { JobStatus } from "@/api/types";
import type { Sort } from "@/jobs/fields";
import { canAscend, type JobsSearch, type SearchProps } from "./jobs-search";

/** Return what changes the address of the list: a part of its search, or all of it. */
export function useSearchChanges(search: JobsSearch) {
  const navigate = useNavigate();
  const show = (next: JobsSearch) => void navigate({ to: "/jobs", search: next });
  const clear = () => {
    chooseTenant(null);
    show({});
  };
  const change: SearchProps["onChange"] = (part, replace = false) => {
    if ("tenant" in part && part.tenant === undefined) chooseTenant(null);
    void navigate({
      to: "/jobs",
      search: (before: JobsSearch) => ({ ...before, unknown: undefined, ...part }),
      replace,
    });
  };
  const toggle = (status: JobStatus) => {
    const chosen = search.status ?? [];
    const next = chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
    change({ status: next.length > 0 ? next : undefined, notStatus: undefined });
  };
  const sort = (by: Sort) => {
    const isTurned = (search.sort ?? "created") === by && !search.ascending && canAscend(by);
    change({ sort: by === "created" ? undefined : by, ascending: isTurned ? true : undefined });
  };
  return { show, clear, change, toggle, sort };
}
