export function mount(): undefined {
  return undefined;
}
