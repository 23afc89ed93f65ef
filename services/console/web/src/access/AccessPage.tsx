import type { ReactNode } from "react";
import { useMe } from "@/api/me";
import { useTitle } from "@/lib/use-title";
import { PageLinks } from "@/ui/display/PageLinks";

/** Pages of who has access, each with the operation by which it is read: one that may not be read is not named. */
export const ACCESS_PAGES = [
  { to: "/sessions", name: "Sessions", reads: "list_sessions" },
  { to: "/tokens", name: "Tokens", reads: "list_tokens" },
  { to: "/tenants", name: "Tenants", reads: "list_tenants" },
  { to: "/audit", name: "Audit", reads: "list_audit" },
] as const;

type AccessPageProps = { title: string; action?: ReactNode; children: ReactNode };

/** Frame of a page of who has access, with the way to the others. */
export function AccessPage({ title, action, children }: AccessPageProps) {
  useTitle(title);
  const me = useMe();
  return (
    <div className="mx-auto max-w-7xl space-y-4 p-4">
      <PageLinks label="Access" pages={ACCESS_PAGES.filter(({ reads }) => me?.may.includes(reads))} />
      <div className="flex min-h-8 flex-wrap items-center justify-between gap-4">
        <h1 className="text-xl font-semibold">{title}</h1>
        {action}
      </div>
      {children}
    </div>
  );
}
