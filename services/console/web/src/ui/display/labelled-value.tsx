import type { ReactNode } from "react";

/** Value of a table that carries its name on phones, where there is no head row. */
export function LabelledValue({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span>
      <span className="text-xs text-muted sm:hidden">{name} </span>
      {children}
    </span>
  );
}
