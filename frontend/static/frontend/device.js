/**
 * What this browser lends us: a store, which it may refuse, and random names.
 *
 * @typedef {import("./keeping.js").Store} Store
 */

/**
 * Return this browser's storage, or one that forgets where the browser keeps it from us.
 *
 * @returns {Store}
 */
export function deviceStore() {
  try {
    localStorage.getItem("lenticular");
    return localStorage;
  } catch {
    return { length: 0, key: () => null, getItem: () => null, setItem: refuse, removeItem: refuse };
  }
}

/** @returns {never} */
function refuse() {
  throw new Error("this browser keeps nothing for us");
}

/**
 * Make a random UUID; `crypto.randomUUID` exists only on secure addresses.
 *
 * @returns {string}
 */
export function newUuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
