import { Bookmark, Check, Trash2 } from "lucide-react";
import { useState } from "react";
import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { parseJobsSearch } from "@/jobs/list/search/parse-address";
import { useStoredChoice } from "@/lib/stored-choice";
import { Button } from "@/ui/controls/button";
import { Field, Input } from "@/ui/controls/field";
import { announce } from "@/ui/feedback/announcer";
import { Popover } from "@/ui/overlays/popover";

type View = { name: string; search: JobsSearch };
const NONE: View[] = [];

const isSame = (one: JobsSearch, other: JobsSearch) =>
  JSON.stringify(parseJobsSearch(one as never)) === JSON.stringify(parseJobsSearch(other as never));

/** Menu of filters saved under a name in this browser. A view is an address, and can be sent to somebody. */
export function SavedViews({ search, onOpen }: { search: JobsSearch; onOpen: (search: JobsSearch) => void }) {
  const [views, setViews] = useStoredChoice<View[]>("views", NONE);
  const [name, setName] = useState("");
  const [deleted, setDeleted] = useState<{ views: View[]; name: string } | null>(null);
  const open = views.find((view) => isSame(view.search, search));
  const save = () => {
    const wanted = name.trim();
    if (wanted === "") return;
    setViews([...views.filter((view) => view.name !== wanted), { name: wanted, search }]);
    setName("");
    setDeleted(null);
  };
  const remove = (view: View) => {
    setDeleted({ views, name: view.name });
    setViews(views.filter((each) => each !== view));
    announce(`The view ${view.name} was deleted. It can be brought back.`);
  };
  return (
    <Popover
      label="Saved views"
      align="end"
      trigger={
        <Button className="max-w-40">
          <Bookmark aria-hidden size={14} className="shrink-0" />
          <span className="truncate">{open ? `View: ${open.name}` : "Views"}</span>
        </Button>
      }
    >
      <ul>
        {views.map((view) => (
          <li key={view.name} className="flex items-center justify-between gap-2">
            <Button
              kind="quiet"
              className="min-w-0 grow justify-start"
              aria-current={view === open ? "true" : undefined}
              onClick={() => onOpen(view.search)}
            >
              <Check aria-hidden size={14} className={view === open ? "shrink-0" : "invisible shrink-0"} />
              <span className="truncate">{view.name}</span>
            </Button>
            <Button kind="quiet" size="icon" aria-label={`Delete the view ${view.name}`} onClick={() => remove(view)}>
              <Trash2 aria-hidden size={14} />
            </Button>
          </li>
        ))}
      </ul>
      {deleted && (
        <p className="flex items-center justify-between gap-2 pb-2 text-muted">
          {deleted.name} was deleted.
          <Button
            key={deleted.name}
            size="small"
            autoFocus
            onClick={() => {
              setViews(deleted.views);
              setDeleted(null);
            }}
          >
            Undo
          </Button>
        </p>
      )}
      {views.length === 0 && !deleted && <p className="pb-2 text-muted">None yet.</p>}
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
        <Button type="submit" reason={name.trim() === "" ? "It needs a name." : null}>
          Save
        </Button>
      </form>
    </Popover>
  );
}
