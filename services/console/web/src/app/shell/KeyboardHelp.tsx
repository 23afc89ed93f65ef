import { useSingleKeyShortcuts } from "@/lib/shortcuts";
import { Checkbox } from "@/ui/controls/field";
import { Kbd } from "@/ui/display/kbd";
import { Dialog } from "@/ui/overlays/dialog";

const KEYS: [string, string][] = [
  ["j", "next job"],
  ["k", "previous job"],
  ["Enter", "open the job"],
  ["x", "select the job"],
  ["Shift x", "select all up to the job"],
  ["Escape", "clear the selection"],
  ["e", "execute the job"],
  ["f", "show the result over the full width, or not"],
  ["u", "back to the list"],
  ["n", "show new jobs"],
  ["/", "search"],
  ["c", "create a job"],
  ["g i", "go to the inbox"],
  ["g l", "go to the list of jobs"],
  ["g b", "go to the batches"],
  ["g a", "go to the agents"],
  ["g q", "go to quality"],
  ["g s", "go to the system"],
  ["Ctrl K", "command palette"],
  ["?", "this help"],
];

export function KeyboardHelp({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const [isOn, setOn] = useSingleKeyShortcuts();
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard" description="What each key does.">
      <dl className="grid grid-cols-[max-content_1fr] gap-x-4 gap-y-2">
        {KEYS.map(([key, what]) => (
          <div key={key} className="contents">
            <dt>
              <Kbd>{key}</Kbd>
              <span className="sr-only">{key}</span>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <label className="mt-4 flex items-center gap-2 border-t pt-4">
        <Checkbox checked={isOn} onChange={(event) => setOn(event.target.checked)} />
        Single keys are shortcuts
      </label>
    </Dialog>
  );
}
