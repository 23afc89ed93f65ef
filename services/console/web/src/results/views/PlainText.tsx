import { useState } from "react";
import { Button } from "@/ui/controls/button";

const CHARS_SHOWN = 600;

/** Text without marks, how it begins at first. */
export function PlainText({ text }: { text: string }) {
  const [isWhole, setWhole] = useState(false);
  const shown = isWhole ? text : text.slice(0, CHARS_SHOWN);
  return (
    <div>
      <p dir="auto" className="max-w-prose whitespace-pre-wrap wrap-anywhere">
        {shown}
        {shown.length < text.length && "…"}
      </p>
      {shown.length < text.length && <ShowAll onClick={() => setWhole(true)} />}
    </div>
  );
}

/** Button that shows the rest of a text. */
export const ShowAll = ({ onClick }: { onClick: () => void }) => (
  <Button size="small" className="mt-1" onClick={onClick}>
    Show all
  </Button>
);
