/**
 * Keeps the home page live: over a WebSocket, or by asking the server every few seconds
 * where there is no socket. The page is whole without this file; a reload shows the same.
 *
 * @typedef {{id: number, name: string, image: string, url: string}} Galaxy
 * @typedef {{slug: string, retired: number, queued: number}} Progress
 * @typedef {{counts: Record<string, number>, workflows: Progress[], strip: Galaxy[], round: number}} Snapshot
 */

const POLL_MS = 10_000;
const RETRY_MS = 30_000;
const STRIP = 12;

/**
 * Print a whole number with thin spaces between thousands, as the server does.
 * @param {number} number
 */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/**
 * Which galaxies of a snapshot are to be put at the head of the strip, the latest last.
 * @param {Galaxy[]} strip
 * @param {Set<number>} shown Ids of the galaxies on the page.
 */
export function newcomers(strip, shown) {
  return strip.filter((galaxy) => !shown.has(galaxy.id)).reverse();
}

/**
 * Show a snapshot on the page.
 * @param {HTMLElement} root
 * @param {Snapshot} snapshot
 */
export function show(root, snapshot) {
  for (const [name, number] of Object.entries(snapshot.counts)) {
    setText(root, `[data-count="${name}"]`, grouped(number));
  }
  for (const workflow of snapshot.workflows) showProgress(root, workflow);
  const strip = root.querySelector("#strip");
  if (strip !== null) showStrip(root, /** @type {HTMLElement} */ (strip), snapshot.strip);
  const news = /** @type {HTMLElement | null} */ (root.querySelector("#new-round"));
  if (news !== null) news.hidden = String(snapshot.round) === root.dataset.round;
}

/**
 * @param {HTMLElement} root
 * @param {Progress} workflow
 */
function showProgress(root, { slug, retired, queued }) {
  const line = root.querySelector(`[data-workflow="${slug}"]`);
  if (line === null) return;
  setText(line, "[data-retired]", grouped(retired));
  setText(line, "[data-queued]", grouped(queued));
  const bar = /** @type {HTMLProgressElement} */ (line.querySelector("progress"));
  bar.max = queued || 1;
  bar.value = retired;
}

/**
 * @param {HTMLElement} root
 * @param {HTMLElement} list
 * @param {Galaxy[]} strip
 */
function showStrip(root, list, strip) {
  const places = /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-galaxy]"));
  const shown = new Set([...places].map((place) => Number(place.dataset.galaxy)));
  for (const galaxy of newcomers(strip, shown)) list.prepend(entry(galaxy, list.dataset.alt ?? ""));
  // A galaxy that somebody is about to open with the keyboard stays.
  while (list.children.length > STRIP && !list.lastElementChild?.contains(document.activeElement)) {
    list.lastElementChild?.remove();
  }
}

/**
 * @param {Galaxy} galaxy
 * @param {string} alt
 */
function entry(galaxy, alt) {
  const line = document.createElement("li");
  const link = document.createElement("a");
  const image = document.createElement("img");
  line.dataset.galaxy = String(galaxy.id);
  link.href = galaxy.url;
  Object.assign(image, { src: galaxy.image, width: 128, height: 128 });
  image.alt = alt.replace("{name}", galaxy.name);
  link.append(image);
  line.append(link);
  return line;
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {string} text
 */
function setText(root, selector, text) {
  const found = root.querySelector(selector);
  if (found !== null && found.textContent !== text) found.textContent = text;
}

/**
 * Follow the project as long as the page is open.
 * @param {object} options
 * @param {string} options.socket Address of the socket.
 * @param {string} options.api Address of the snapshot.
 * @param {(snapshot: Snapshot) => void} options.onSnapshot Called with each new snapshot.
 * @param {() => boolean} [options.isHidden] Whether nobody sees the page: it asks nothing then.
 * @param {(url: string) => WebSocket} [options.connect] Opens a socket.
 * @param {typeof fetch} [options.request] Asks the server.
 * @returns {() => void} Stops following.
 */
export function follow({
  socket,
  api,
  onSnapshot,
  isHidden = () => document.hidden,
  connect = (url) => new WebSocket(url),
  request = (...given) => fetch(...given),
}) {
  let stopped = false;
  let isLive = false;
  /** @type {WebSocket | undefined} */
  let open;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry;

  const listen = () => {
    open = connect(socket);
    open.addEventListener("message", (event) => {
      isLive = true;
      if (!stopped) onSnapshot(JSON.parse(event.data));
    });
    open.addEventListener("close", () => {
      isLive = false;
      // Not all pages at once when a server comes back.
      if (!stopped) retry = setTimeout(listen, RETRY_MS * (0.5 + Math.random()));
    });
  };

  const ask = async () => {
    if (isLive || stopped || isHidden()) return;
    try {
      const answer = await request(api, { headers: { Accept: "application/json" } });
      if (answer.ok && !stopped) onSnapshot(await answer.json());
    } catch {
      // Out of reach for now: the next turn asks again.
    }
  };

  const timer = setInterval(ask, POLL_MS);
  listen();
  return () => {
    stopped = true;
    clearInterval(timer);
    clearTimeout(retry);
    open?.close();
  };
}

/** Start on the home page; elsewhere do nothing. */
function start() {
  const root = document.getElementById("home");
  if (root === null) return;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  follow({
    socket: `${scheme}//${location.host}/ws/home/`,
    api: root.dataset.api ?? "",
    onSnapshot: (snapshot) => show(root, snapshot),
  });
}

if (typeof document !== "undefined") start();
