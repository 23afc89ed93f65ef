import { ChevronLeft } from "lucide-react";
import { useState } from "react";
import { parseLabel } from "@/jobs/list/search/jobs-search";
import { Button } from "@/ui/controls/button";
import type { MenuProps } from "./FilterMenu";
import { ValueMenu } from "./ValueMenu";

/** Menu of labels: their names, then the values of one. */
export function LabelMenu({ search, onChange, onClose }: MenuProps) {
  const { label = [] } = search;
  const [name, setName] = useState<string | null>(null);
  const chosen = label.map(parseLabel);
  const set = (key: string, value: string) => {
    const others = label.filter((each) => parseLabel(each)[0] !== key);
    const next = label.includes(`${key}:${value}`) ? others : [...others, `${key}:${value}`];
    onChange({ label: next.length > 0 ? next : undefined });
    onClose();
  };
  if (name === null) {
    return (
      <ValueMenu
        field="label"
        search={search}
        chosen={chosen.map(([key]) => key)}
        placeholder="Find, or type name:value"
        onChoose={(typed) => {
          const [key, value] = parseLabel(typed);
          if (key !== "" && value !== "") set(key, value);
          else setName(key);
        }}
      />
    );
  }
  return (
    <>
      <Button kind="quiet" size="small" className="-mx-2 -mt-1 mb-3 max-w-full" onClick={() => setName(null)}>
        <ChevronLeft aria-hidden size={14} className="shrink-0" />
        <span className="sr-only">Back to all labels from</span>
        <bdi className="truncate">{name}</bdi>
      </Button>
      <ValueMenu
        key={name}
        field={`label:${name}`}
        search={search}
        chosen={chosen.filter(([key]) => key === name).map(([, value]) => value)}
        onChoose={(value) => set(name, value)}
      />
    </>
  );
}
