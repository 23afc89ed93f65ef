import { type ReactNode, useRef, useState } from "react";
import { Field, Input } from "@/ui/controls/field";
import { type Report, readReport } from "./report";

type ReportFieldProps = {
  label: string;
  hint: ReactNode;
  /** Told of each file that is chosen or dropped: undefined while it is read, then its report, or null where it is none. */
  onReport: (report: Report | null | undefined) => void;
};

/** Field for a file with a report, chosen or dropped on it. The file is read here, and goes nowhere. */
export function ReportField({ label, hint, onReport }: ReportFieldProps) {
  const [error, setError] = useState<string>();
  const newest = useRef<File>(undefined);
  const read = async (file: File | undefined) => {
    newest.current = file;
    if (file) onReport(undefined);
    const found = file && (await readReport(file).catch((failure: unknown) => toMessage(failure)));
    if (newest.current !== file) return; // another one was chosen meanwhile
    setError(typeof found === "string" ? found : undefined);
    onReport(typeof found === "object" ? found : null);
  };
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <Input
          {...control}
          type="file"
          accept=".json,application/json"
          className="h-16 border-dashed py-4 file:mr-3 file:rounded file:border file:border-control file:bg-sunken file:px-2 file:text-text"
          onClick={({ currentTarget }) => {
            currentTarget.value = ""; // a file that was written anew may be chosen again
            void read(undefined);
          }}
          onChange={({ target }) => void read(target.files?.[0])}
        />
      )}
    </Field>
  );
}

const toMessage = (failure: unknown) => (failure instanceof Error ? failure.message : String(failure));
