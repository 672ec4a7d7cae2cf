/** Names of settings. Imports nothing, so that workers can name them without reading any. */

/** Prefix of our environment variables. */
export const ENVIRONMENT_PREFIX = "PORTZERO_";

/** `media.portFrom` -> `PORTZERO_MEDIA_PORT_FROM`. */
export function environmentName(path: string): string {
  const snake = path.replaceAll(/[A-Z]/g, (capital) => `_${capital}`).replaceAll(".", "_");
  return ENVIRONMENT_PREFIX + snake.toUpperCase();
}

/** A key, and the variable that sets it: `http.port (PORTZERO_HTTP_PORT)`. */
export function settingOf(path: string): string {
  return `${path} (${environmentName(path)})`;
}
