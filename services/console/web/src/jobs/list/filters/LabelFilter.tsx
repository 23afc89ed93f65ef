import { useId, useState } from "react";
import { Input } from "@/ui/controls/field";

type LabelFilterProps = { labels: readonly string[]; onAdd: (label: string) => void };

const isLabel = (text: string) => text.indexOf(":") > 0;

/** Field that adds a label to the filters; those that are set are chips. */
export function LabelFilter({ labels, onAdd }: LabelFilterProps) {
  const [text, setText] = useState("");
  const [isRefused, refuse] = useState(false);
  const id = useId();
  const add = () => {
    const label = text.trim();
    refuse(label !== "" && !isLabel(label));
    if (!isLabel(label)) return;
    setText("");
    if (!labels.includes(label)) onAdd(label);
  };
  return (
    <span className="relative w-36 max-sm:grow">
      <Input
        aria-label="Label"
        placeholder="Label name:value"
        value={text}
        aria-invalid={isRefused || undefined}
        aria-describedby={isRefused ? id : undefined}
        onChange={(event) => {
          setText(event.target.value);
          if (isLabel(event.target.value)) refuse(false);
        }}
        onBlur={add}
        onKeyDown={(event) => event.key === "Enter" && add()}
      />
      {isRefused && (
        <span id={id} role="alert" className="mt-1 block text-xs text-failed">
          Type name:value, such as team:blue.
        </span>
      )}
    </span>
  );
}
