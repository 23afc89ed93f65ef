import { Plus, X } from "lucide-react";
import type { LabelRow } from "@/jobs/form/model/job-values";
import { Button } from "@/ui/controls/button";
import { Input } from "@/ui/controls/field";

type LabelsEditorProps = { value: LabelRow[]; onChange: (value: LabelRow[]) => void; error?: string };

/** Editor of labels: names and values by which jobs are found. */
export function LabelsEditor({ value, onChange, error }: LabelsEditorProps) {
  const change = (at: number, part: Partial<LabelRow>) =>
    onChange(value.map((row, place) => (place === at ? { ...row, ...part } : row)));
  return (
    <fieldset>
      <legend className="mb-1 font-medium">Labels</legend>
      <ul className="space-y-1">
        {value.map((row, at) => (
          <li key={row.id} className="flex items-center gap-1">
            <Input
              aria-label={`Name of label ${at + 1}`}
              placeholder="name"
              value={row.name}
              onChange={(event) => change(at, { name: event.target.value })}
            />
            <Input
              aria-label={`Value of label ${at + 1}`}
              placeholder="value"
              value={row.value}
              onChange={(event) => change(at, { value: event.target.value })}
            />
            <Button
              kind="quiet"
              size="icon"
              aria-label={`Remove label ${at + 1}`}
              onClick={() => onChange(value.toSpliced(at, 1))}
            >
              <X aria-hidden size={14} />
            </Button>
          </li>
        ))}
      </ul>
      {error && <p className="mt-1 text-xs text-failed">{error}</p>}
      <Button
        size="small"
        className="mt-1"
        onClick={() => onChange([...value, { id: crypto.randomUUID(), name: "", value: "" }])}
      >
        <Plus aria-hidden size={12} /> Add a label
      </Button>
    </fieldset>
  );
}
