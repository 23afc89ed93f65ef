import type { JobsSearch } from "@/jobs/list/search/jobs-search";
import { CreatedMenu } from "./CreatedMenu";
import { LabelMenu } from "./LabelMenu";
import { RangeMenu } from "./RangeMenu";
import { ValueMenu } from "./ValueMenu";

export type MenuProps = {
  search: JobsSearch;
  /** Changes the filters. Typing replaces the address, choosing adds to the history. */
  onChange: (change: Partial<JobsSearch>, replace?: boolean) => void;
  onClose: () => void;
};

type FilterMenuProps = MenuProps & {
  field: "agent" | "tenant" | "batch" | "label" | "code" | "criterion" | "cost" | "duration" | "created";
};

/** Content of the menu of a field. */
export default function FilterMenu({ field, search, onChange, onClose }: FilterMenuProps) {
  const props = { search, onChange, onClose };
  if (field === "cost" || field === "duration") return <RangeMenu {...props} field={field} />;
  if (field === "created") return <CreatedMenu {...props} />;
  if (field === "label") return <LabelMenu {...props} />;
  if (field === "code") return <CodeMenu {...props} />;
  const chosen = search[field];
  return (
    <ValueMenu
      field={field}
      search={search}
      chosen={chosen === undefined ? [] : [chosen]}
      onChoose={(value) => {
        onChange({ [field]: value === chosen ? undefined : value });
        onClose();
      }}
    />
  );
}

/** Menu of codes, of which several may be chosen. */
function CodeMenu({ search, onChange }: MenuProps) {
  const { code = [] } = search;
  const toggle = (value: string) => {
    const next = code.includes(value) ? code.filter((each) => each !== value) : [...code, value];
    onChange({ code: next.length > 0 ? next : undefined });
  };
  return <ValueMenu field="code" search={search} chosen={code} onChoose={toggle} />;
}
