import { ArrowDown, ArrowUp } from "lucide-react";
import type { CSSProperties } from "react";
import { cn } from "@/lib/cn";

type SortHeadProps = {
  name: string;
  /** How the rows are sorted by this column, if they are. */
  order?: "ascending" | "descending";
  onSort: () => void;
  className?: string;
  style?: CSSProperties;
};

/** Head of a column by which the rows can be sorted. */
export function SortHead({ name, order, onSort, className, style }: SortHeadProps) {
  const Arrow = order === "ascending" ? ArrowUp : ArrowDown;
  return (
    <th
      scope="col"
      aria-sort={order}
      className={cn("px-2 font-medium text-muted pointer-coarse:h-11", className)}
      style={style}
    >
      <button
        type="button"
        onClick={onSort}
        className="inline-flex min-h-6 items-center gap-1 hover:text-text pointer-coarse:min-h-11"
      >
        {name}
        {order && <Arrow aria-hidden size={12} />}
      </button>
    </th>
  );
}
