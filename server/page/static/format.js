/** Numbers as people read them. Pure functions. */

export function seconds(value) {
  if (value < 0.95) return value < 0.0995 ? `${Math.round(value * 1000)} ms` : `${value.toFixed(1)} s`;
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.round(value);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

export function bytes(value) {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function ago(then, now) {
  const passed = now - then;
  if (passed < 5) return "now";
  if (passed < 3600) return `${passed < 60 ? `${Math.floor(passed)} s` : `${Math.floor(passed / 60)} min`} ago`;
  const date = new Date(then * 1000);
  const today = date.toDateString() === new Date(now * 1000).toDateString();
  return date.toLocaleString([], today ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" });
}

export function percent(fraction) {
  return `${Math.floor(fraction * 100)} %`;
}
