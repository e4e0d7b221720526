// A syntax error in TypeScript: exit code 107 and the place.
export default function (): void {
  const a: number = = 1;
}
