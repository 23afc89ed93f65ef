import { Link } from "@tanstack/react-router";
import { ChevronLeft } from "lucide-react";
import type { ReactNode } from "react";
import { ProblemState } from "@/api/ProblemState";
import { Loading, Skeleton } from "@/ui/display/states";

type NamePageProps = {
  what: string;
  name: string;
  current: number | null | undefined;
  isPending: boolean;
  error: Error | null;
  actions: ReactNode;
  children: ReactNode;
};

/** Frame of the page of a judge policy or a criteria set. */
export function NamePage({ what, name, current, isPending, error, actions, children }: NamePageProps) {
  return (
    <div className="mx-auto max-w-7xl space-y-6 p-4">
      <nav aria-label={`Around this ${what}`} className="text-muted">
        <Link to="/judges" className="inline-flex min-h-6 items-center hover:text-text">
          <ChevronLeft aria-hidden size={14} /> Judges
        </Link>
      </nav>
      <header className="flex flex-wrap items-end justify-between gap-3 border-b pb-4">
        <div className="min-w-0">
          <p className="text-muted first-letter:uppercase">
            {what}
            {!isPending && !error && (current == null ? ", retired" : `, version ${current} is current`)}
          </p>
          <h1 className="text-xl font-semibold wrap-anywhere">
            <bdi>{name}</bdi>
          </h1>
        </div>
        <div className="flex flex-wrap gap-2">{!isPending && !error && actions}</div>
      </header>
      <ProblemState error={error} />
      {isPending && (
        <Loading what={`the ${what}`}>
          <div className="space-y-6">
            <Skeleton className="h-40" />
            <Skeleton className="h-40" />
          </div>
        </Loading>
      )}
      {children}
    </div>
  );
}
