import { setTimeout } from "node:timers/promises";

/** Run the stories of a client in their order, and say of each that it went as it should. */
export async function run(...stories: (() => Promise<void>)[]): Promise<void> {
  for (const story of stories) {
    await story();
    console.log(story.name);
  }
}

export const newId = () => `story-${crypto.randomUUID().slice(0, 13)}`;

export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** Ask until it is so. */
export async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await ask();
    if (isSo(answer)) return answer;
    await setTimeout(100);
  }
  throw new Error("it never came to be so");
}
