export function Kbd({ children }: { children: string }) {
  return (
    <kbd className="rounded border border-hairline bg-sunken px-1 font-mono text-xs text-muted" aria-hidden>
      {children}
    </kbd>
  );
}
