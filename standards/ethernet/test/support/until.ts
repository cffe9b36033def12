/** Waits for something that an interface brings about; gives up after a minute. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('did not come true');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
