import { Bookmark, Trash2 } from "lucide-react";
import { useState } from "react";
import { useChoice } from "@/lib/storage";
import { Button } from "@/ui/button";
import { Field, Input } from "@/ui/field";
import { Popover } from "@/ui/popover";
import type { JobsSearch } from "./filters";

type View = { name: string; search: JobsSearch };
const NONE: View[] = [];

/** Filters under a name, kept in this browser; a view is an address, and can as well be sent to somebody. */
export function SavedViews({ search, onOpen }: { search: JobsSearch; onOpen: (search: JobsSearch) => void }) {
  const [views, setViews] = useChoice<View[]>("views", NONE);
  const [name, setName] = useState("");
  const save = () => {
    const wanted = name.trim();
    if (wanted === "") return;
    setViews([...views.filter((view) => view.name !== wanted), { name: wanted, search }]);
    setName("");
  };
  return (
    <Popover
      label="Saved views"
      align="end"
      trigger={
        <Button>
          <Bookmark aria-hidden size={14} /> Views
        </Button>
      }
    >
      <ul>
        {views.map((view) => (
          <li key={view.name} className="flex items-center justify-between gap-2">
            <Button kind="quiet" className="grow justify-start" onClick={() => onOpen(view.search)}>
              {view.name}
            </Button>
            <Button
              kind="quiet"
              size="icon"
              aria-label={`Delete the view ${view.name}`}
              onClick={() => setViews(views.filter((each) => each !== view))}
            >
              <Trash2 aria-hidden size={14} />
            </Button>
          </li>
        ))}
      </ul>
      {views.length === 0 && <p className="pb-2 text-muted">None yet.</p>}
      <form
        className="flex items-end gap-2 border-t pt-2"
        onSubmit={(event) => {
          event.preventDefault();
          save();
        }}
      >
        <Field label="Save what is shown as">
          {(control) => <Input {...control} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Button type="submit" unavailable={name.trim() === ""}>
          Save
        </Button>
      </form>
    </Popover>
  );
}
