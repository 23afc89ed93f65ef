import type { ReactNode } from "react";

/** A phone has no head row: there each value of a table carries its name. */
export function LabelledValue({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span>
      <span className="text-xs text-muted sm:hidden">{name} </span>
      {children}
    </span>
  );
}
