// The time of the server. The clock of this device may be wrong.

/** Differences below this are the delay of the network, in milliseconds. */
const TOLERANCE = 60_000;

let skew = 0;

/** Sets the clock by a time of the server that has just arrived. */
export function setClock(serverTime: string): void {
  const difference = Date.parse(serverTime) - Date.now();
  skew = Math.abs(difference) > TOLERANCE ? difference : 0;
}

/** The time now, in milliseconds. */
export const now = (): number => Date.now() + skew;
