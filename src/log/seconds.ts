/** A length of time for people: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function seconds(lengthMs: number): string {
  if (lengthMs < 9950) return `${(lengthMs / 1000).toFixed(1)} s`;
  const total = Math.round(lengthMs / 1000);
  if (total < 60) return `${total} s`;
  const minutes = Math.floor(total / 60);
  if (minutes < 60) return total % 60 === 0 ? `${minutes} min` : `${minutes} min ${total % 60} s`;
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
