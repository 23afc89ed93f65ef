import { Inbox, OctagonAlert } from "lucide-react";
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/controls/button";

/** Placeholder of content that is being read, at its final height. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse rounded bg-sunken", className)} />;
}

export function Loading({ what, children }: { what: string; children: ReactNode }) {
  return (
    <div aria-busy role="status">
      <span className="sr-only">Loading {what}</span>
      {children}
    </div>
  );
}

type EmptyStateProps = {
  title: string;
  /** Whether it is all that its page shows. */
  isPage?: boolean;
  children?: ReactNode;
  /** Button that does something about it, and a command that does so, too. */
  action?: ReactNode;
  command?: string;
};

/** Message in place of an empty list: why, and what to do. */
export function EmptyState({ title, isPage, children, action, command }: EmptyStateProps) {
  const Title = isPage ? "h1" : "p";
  return (
    <div className="flex flex-col items-center gap-2 px-4 py-12 text-center">
      <Inbox aria-hidden size={24} className="text-muted" />
      <Title className="text-base font-medium">{title}</Title>
      {children && <div className="max-w-md text-muted">{children}</div>}
      {action}
      {command && (
        <p className="max-w-full text-xs text-muted">
          In a terminal: <code className="font-mono wrap-anywhere text-text">{command}</code>
        </p>
      )}
    </div>
  );
}

type ErrorStateProps = {
  title: string;
  detail?: string;
  code?: string;
  requestId?: string | null;
  onRetry?: () => void;
  className?: string;
};

/** Error in the server's words, with the code and request id that find it in a log. */
export function ErrorState({ title, detail, code, requestId, onRetry, className }: ErrorStateProps) {
  return (
    <div role="alert" className={cn("flex gap-3 rounded border border-failed bg-failed-tint p-3", className)}>
      <OctagonAlert aria-hidden size={16} className="mt-0.5 shrink-0 text-failed" />
      <div className="min-w-0 grow">
        <p className="font-medium text-failed">{title}</p>
        {detail && <p className="text-text break-words">{detail}</p>}
        {(code || requestId) && (
          <p className="font-mono text-xs break-all text-text">
            {code}
            {requestId && ` · request ${requestId}`}
          </p>
        )}
      </div>
      {onRetry && (
        <Button size="small" onClick={onRetry}>
          Retry
        </Button>
      )}
    </div>
  );
}
