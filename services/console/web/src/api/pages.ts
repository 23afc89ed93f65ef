import type { Page } from "./types";

const PAGE_SIZE = 500;

/** Read all pages of a list. */
export async function readAll<Item>(
  read: (page: { page_size: number; page_token: string }) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  let token: string | null | undefined = "";
  do {
    const page: Page<Item> = await read({ page_size: PAGE_SIZE, page_token: token });
    items.push(...page.items);
    token = page.next_page_token;
  } while (token);
  return items;
}
