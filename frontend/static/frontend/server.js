/**
 * Talks to the classify API.
 *
 * @typedef {import("./outbox.js").Entry} Entry
 * @typedef {import("./outbox.js").Result} Result
 * @typedef {import("./shelf.js").Served} Served
 */
import { StaleError } from "./outbox.js";

const PATIENCE = 20000;

/**
 * Post JSON and return the answer's.
 *
 * @param {string} address
 * @param {unknown} body
 * @param {string} token
 * @returns {Promise<any>}
 * @throws {StaleError} where the page's token is too old
 */
async function post(address, body, token) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  if (response.status === 401 || response.status === 403) throw new StaleError(response.statusText);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.json();
}

/**
 * Return what the outbox and the shelf ask of the server.
 *
 * @param {{next: string, post: string}} addresses
 * @param {() => string} token
 * @returns {{fetchNext: (count: number) => Promise<Served>, send: (entries: Entry[]) => Promise<Result[]>}}
 */
export function server(addresses, token) {
  return {
    fetchNext: (count) => post(addresses.next, { count }, token()),
    send: (entries) => post(addresses.post, { classifications: entries }, token()),
  };
}

/**
 * Fetch and decode a picture before it is needed.
 *
 * @param {{images: {page: string, full: string}}} subject
 * @param {string} sizes as on the page's own picture
 * @returns {Promise<void>}
 */
export async function preload({ images }, sizes) {
  const picture = new Image();
  picture.sizes = sizes;
  picture.srcset = srcset(images);
  await picture.decode();
}

/**
 * @param {{page: string, full: string}} images
 * @returns {string}
 */
export function srcset(images) {
  return `${images.page} 512w, ${images.full} 1024w`;
}
