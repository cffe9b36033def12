/** What a day looks like: loads by the hour, the sun by the calendar, the wind turbine by its power curve. */

/**
 * Share of the peak at each full hour (local solar time). The shapes follow the daily curves of the benchmark's two
 * customer classes: residential with its evening peak, commercial and industrial with its working day.
 */
export const LOAD_SHAPES = {
  residential: [
    0.42, 0.36, 0.33, 0.32, 0.33, 0.38, 0.5, 0.62, 0.66, 0.65, 0.64, 0.66, 0.7, 0.67, 0.62, 0.6, 0.64, 0.75, 0.88, 0.96,
    0.95, 0.86, 0.7, 0.54,
  ],
  commercialIndustrial: [
    0.32, 0.3, 0.3, 0.31, 0.34, 0.42, 0.58, 0.76, 0.9, 0.96, 0.98, 0.97, 0.9, 0.94, 0.96, 0.92, 0.82, 0.68, 0.56, 0.48,
    0.43, 0.4, 0.37, 0.34,
  ],
} as const;

/** Saturday and Sunday, as a share of the working day. */
export const WEEKEND = { residential: 1.05, commercialIndustrial: 0.45 } as const;

const HOUR = 3_600_000;

/** @param at ms since the Unix epoch, read as local solar time; @returns share of the peak, 0 to about 1 */
export function loadShare(kind: keyof typeof LOAD_SHAPES, at: number): number {
  const shape = LOAD_SHAPES[kind];
  const hours = (at / HOUR) % 24;
  const hour = Math.floor(hours);
  const share = shape[hour]! + (shape[(hour + 1) % 24]! - shape[hour]!) * (hours - hour);
  const weekday = new Date(at).getUTCDay();
  return share * (weekday === 0 || weekday === 6 ? WEEKEND[kind] : 1);
}

/** Latitude of the lab's valley, degrees. */
const LATITUDE = 48;

/**
 * Output of a plant under a clear sky as a share of its rating: sine of the sun's elevation, with the air mass taken off
 * near the horizon.
 */
export function clearSkyShare(at: number): number {
  const day = (at - Date.UTC(new Date(at).getUTCFullYear(), 0, 1)) / (24 * HOUR);
  const declination = -23.44 * Math.cos((2 * Math.PI * (day + 10)) / 365.25);
  const hourAngle = (((at / HOUR) % 24) - 12) * 15;
  const radians = Math.PI / 180;
  const elevation =
    Math.sin(LATITUDE * radians) * Math.sin(declination * radians) +
    Math.cos(LATITUDE * radians) * Math.cos(declination * radians) * Math.cos(hourAngle * radians);
  return elevation <= 0 ? 0 : elevation ** 1.15;
}

/** Power curve of a pitch-controlled turbine: cut-in 3 m/s, rated 12 m/s, cut-out 25 m/s. */
export function windShare(speed: number): number {
  if (speed < 3 || speed >= 25) return 0;
  if (speed >= 12) return 1;
  return (speed ** 3 - 27) / (12 ** 3 - 27);
}

/** What a battery does by itself, as a share of its power: charges at noon, feeds the evening peak. */
export function batteryShare(at: number): number {
  const hours = (at / HOUR) % 24;
  if (hours >= 10.5 && hours < 14.5) return -0.6;
  return hours >= 17.5 && hours < 21 ? 0.7 : 0;
}
