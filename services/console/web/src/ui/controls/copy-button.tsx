import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";
import { copyText } from "@/lib/clipboard";
import { announce } from "@/ui/feedback/announcer";
import { Button } from "./button";

const SHOWN_MS = 1_500;

type CopyButtonProps = { text: string; label: string; className?: string };

/** Button that copies a text, and says so. */
export function CopyButton({ text, label, className }: CopyButtonProps) {
  const [isDone, setDone] = useState(false);
  useEffect(() => {
    if (!isDone) return;
    const timer = setTimeout(() => setDone(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isDone]);
  const copy = async () => {
    const isCopied = await copyText(text);
    setDone(isCopied);
    announce(isCopied ? "Copied" : "The browser does not let the page copy");
  };
  const Icon = isDone ? Check : CopyIcon;
  return (
    <Button kind="quiet" size="icon" aria-label={label} title={label} className={className} onClick={copy}>
      <Icon aria-hidden size={14} />
    </Button>
  );
}
