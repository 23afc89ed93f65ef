import type { ReactNode } from "react";

/** Value of a table that carries its name on small screens, where there is no head row. */
export function LabelledValue({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span>
      <span className="text-xs text-muted lg:hidden">{name} </span>
      {children}
    </span>
  );
}
