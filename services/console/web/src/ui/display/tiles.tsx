import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

/** Figures with their names, in a frame: five at most stand in a line. */
export function TileGroup({ name, children }: { name: string; children: ReactNode }) {
  return (
    <section aria-label={name}>
      <h2 className="pb-1 text-xs font-medium text-muted">{name}</h2>
      <div className="grid grid-cols-2 gap-px overflow-hidden rounded border bg-hairline *:bg-surface *:last:col-span-2 sm:grid-cols-3 lg:*:last:col-span-1 lg:grid-cols-5">
        {children}
      </div>
    </section>
  );
}

export function Tile({ name, className, children }: { name: string; className?: string; children: ReactNode }) {
  return (
    <div className="flex flex-col-reverse px-3 py-2">
      <span className="text-xs text-muted">{name}</span>
      <span className={cn("text-xl font-semibold", className)}>{children}</span>
    </div>
  );
}
