import { Search } from "lucide-react";
import { type RefObject, useId } from "react";
import { cn } from "@/lib/cn";
import { useDraft } from "@/lib/use-draft";
import { Input } from "@/ui/controls/field";

type TextFilterProps = {
  name: string;
  placeholder?: string;
  value: string;
  type?: "search" | "datetime-local";
  maxLength?: number;
  className?: string;
  onType: (text: string) => void;
  check?: (text: string) => string | null;
  /** Given for the search field alone. */
  inputRef?: RefObject<HTMLInputElement | null>;
};

/** Filter that is typed; says below why a text is not valid. */
export function TextFilter(props: TextFilterProps) {
  const { name, placeholder = name, value, type = "search", maxLength, className, onType, check, inputRef } = props;
  const draft = useDraft({ value, onCommit: onType, check });
  const id = useId();
  const isSearch = inputRef !== undefined;
  return (
    <span className={cn("relative", isSearch ? "w-48 max-sm:min-w-0" : "w-28", "max-sm:grow", className)}>
      {isSearch && (
        <Search aria-hidden size={14} className="absolute top-2.25 left-2 text-muted pointer-coarse:top-3.75" />
      )}
      <Input
        ref={inputRef}
        type={type}
        aria-label={name}
        aria-invalid={draft.error ? true : undefined}
        aria-describedby={draft.error ? id : undefined}
        placeholder={placeholder}
        maxLength={maxLength}
        className={isSearch ? "pl-7" : ""}
        value={draft.text}
        onChange={(event) => draft.onChange(event.target.value)}
        onBlur={draft.onBlur}
        onKeyDown={draft.onKeyDown}
      />
      {draft.error && (
        <span id={id} role="alert" className="mt-1 block text-xs text-failed">
          {draft.error}
        </span>
      )}
    </span>
  );
}
