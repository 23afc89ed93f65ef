import { cva, type VariantProps } from "class-variance-authority";
import { type ComponentProps, type MouseEvent, useId } from "react";
import { cn } from "@/lib/cn";
import { toast } from "@/ui/feedback/toast";

/** Classes of what looks like a button. */
export const buttonLook = cva(
  "inline-flex items-center justify-center gap-1.5 rounded whitespace-nowrap font-medium transition-colors aria-disabled:cursor-default aria-disabled:opacity-60 pointer-coarse:min-h-11",
  {
    variants: {
      kind: {
        primary: "bg-accent text-on-accent not-aria-disabled:hover:opacity-90",
        plain: "border border-control bg-surface text-text not-aria-disabled:hover:bg-sunken",
        quiet: "text-text not-aria-disabled:hover:bg-sunken",
        danger: "bg-failed text-surface not-aria-disabled:hover:opacity-90",
      },
      size: { normal: "h-8 px-3 text-sm", small: "h-7 px-2 text-xs", icon: "size-8 shrink-0 pointer-coarse:min-w-11" },
    },
    defaultVariants: { kind: "plain", size: "normal" },
  },
);

type ButtonProps = Omit<ComponentProps<"button">, "disabled"> &
  VariantProps<typeof buttonLook> & {
    /** Disabled, yet focusable and in its place. */
    unavailable?: boolean;
    /** Why it is disabled: shown on hover, to screen readers, and in a toast when pressed. */
    reason?: string | null;
  };

type ButtonLinkProps = ComponentProps<"a"> & VariantProps<typeof buttonLook>;

/** Link to another document that looks like a button. */
export function ButtonLink({ kind, size, className, children, ...others }: ButtonLinkProps) {
  return (
    <a {...others} className={cn(buttonLook({ kind, size }), className)}>
      {children}
    </a>
  );
}

export function Button(props: ButtonProps) {
  const { kind, size, unavailable, reason, title, className, onClick, type = "button", ...others } = props;
  const id = useId();
  const isOff = unavailable || Boolean(reason);
  const explain = (event: MouseEvent) => {
    event.preventDefault();
    if (reason) toast(reason);
  };
  return (
    <>
      <button
        aria-describedby={reason ? id : undefined}
        {...others}
        title={reason ?? title}
        type={type}
        aria-disabled={isOff || undefined}
        onClick={isOff ? explain : onClick}
        className={cn(buttonLook({ kind, size }), className)}
      />
      {reason && (
        <span id={id} hidden>
          {reason}
        </span>
      )}
    </>
  );
}
