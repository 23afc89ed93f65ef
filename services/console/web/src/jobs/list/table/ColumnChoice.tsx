import { Columns3 } from "lucide-react";
import { Button } from "@/ui/controls/button";
import { Checkbox } from "@/ui/controls/field";
import { Popover } from "@/ui/overlays/popover";
import { COLUMN_LOOK, type ColumnId } from "./columns";

const ALWAYS: ColumnId[] = ["status", "title"];

type ColumnChoiceProps = { hidden: readonly ColumnId[]; onChange: (hidden: ColumnId[]) => void };

/** Menu of the columns shown in this browser. */
export function ColumnChoice({ hidden, onChange }: ColumnChoiceProps) {
  const ids = (Object.keys(COLUMN_LOOK) as ColumnId[]).filter((id) => !ALWAYS.includes(id));
  return (
    <Popover
      label="Columns"
      align="end"
      trigger={
        <Button>
          <Columns3 aria-hidden size={14} /> Columns
        </Button>
      }
    >
      <ul>
        {ids.map((id) => (
          <li key={id}>
            <label className="flex min-h-8 items-center gap-2">
              <Checkbox
                checked={!hidden.includes(id)}
                onChange={(event) =>
                  onChange(event.target.checked ? hidden.filter((each) => each !== id) : [...hidden, id])
                }
              />
              {COLUMN_LOOK[id].name}
            </label>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
