import { Columns3 } from "lucide-react";
import { COLUMNS, type ColumnId } from "@/jobs/fields";
import { Button } from "@/ui/controls/button";
import { Checkbox } from "@/ui/controls/field";
import { Popover } from "@/ui/overlays/popover";

type ColumnChoiceProps = { hidden: readonly ColumnId[]; onChange: (hidden: ColumnId[]) => void };

/** Menu of the columns shown in this browser. */
export function ColumnChoice({ hidden, onChange }: ColumnChoiceProps) {
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
        {COLUMNS.filter(({ isFixed }) => !isFixed).map(({ id, name }) => (
          <li key={id}>
            <label className="flex min-h-8 items-center gap-2">
              <Checkbox
                checked={!hidden.includes(id)}
                onChange={(event) =>
                  onChange(event.target.checked ? hidden.filter((each) => each !== id) : [...hidden, id])
                }
              />
              {name}
            </label>
          </li>
        ))}
      </ul>
    </Popover>
  );
}
