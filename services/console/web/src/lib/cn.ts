import { type ClassValue, clsx } from "clsx";
import { twMerge } from "tailwind-merge";

/** Join class names; a later Tailwind class overrides an earlier one of its kind. */
export function cn(...classes: ClassValue[]): string {
  return twMerge(clsx(classes));
}
